//! `vassals-stop-hook`: what the program is told of a vassal that is gone.

use crate::common::{Emperor, Tree, eventually};
use crate::pair::{Pair, wait_told};

/// Writes its words and what it is told of the directory, beside itself.
const NOTE: &str = "echo \"$# $1 $UWSGI_VASSALS_DIR\" >> TREE/farewells";

fn fill(tree: &Tree) {
    let top = tree.path("").display().to_string();
    tree.script("note", &NOTE.replace("TREE/", &top));
    tree.vassal("going.ini", "");
    tree.vassal("staying.ini", "");
}

/// What it wrote, without where the tree is.
fn written(emperor: &Emperor) -> Vec<String> {
    let top = emperor.tree.path("").display().to_string();
    let text = std::fs::read_to_string(emperor.tree.path("farewells")).unwrap_or_default();
    text.lines().map(|line| line.replace(&top, "TREE/")).collect()
}

#[test]
fn who_is_gone_is_named_with_the_directory_of_its_config() {
    let pair = Pair::of_actors(fill, &["--vassals-stop-hook", "TREE/note"], &[]);
    pair.each(|emperor| {
        for name in ["going.ini", "staying.ini"] {
            wait_told(emperor, name, "started", 1);
        }
        std::fs::remove_file(emperor.tree.vassals().join("going.ini")).unwrap();
        eventually("a farewell", || (!written(emperor).is_empty()).then_some(()));
    });
    assert_eq!(pair.same(written), ["1 going.ini TREE/vassals"]);
}
