//! The commands of `docs/control.md`, with their answers.

use std::path::Path;

use super::common::{Emperor, Tree};
use super::{IDLE, command};

/// Each command of the page, and the lines below it.
fn commands(page: &str) -> Vec<(String, Vec<String>)> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("    ")) {
        match (line.strip_prefix("$ liege "), commands.last_mut()) {
            (Some(words), _) => commands.push((words.to_owned(), Vec::new())),
            (None, Some((_, answer))) => answer.push(line.to_owned()),
            (None, None) => panic!("an answer to nothing: {line}"),
        }
    }
    commands
}

#[test]
fn the_commands_of_the_page_are_answered_as_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/control.md");
    let tree = Tree::new();
    tree.liege();
    let shop = "attach-daemon2 = name=cache,cmd=/bin/sleep 77\n\
                command = sh -c \"trap '' HUP; while true; do sleep 0.1; done\"\n";
    tree.vassal("shop.ini", shop);
    tree.vassal("blog.ini", IDLE);
    let state = tree.path("state").display().to_string();
    let emperor = Emperor::start(tree, &["--emperor-state-directory", &state]);
    ["shop.ini", "blog.ini"].iter().for_each(|name| _ = emperor.vassal(name));
    let commands = commands(&std::fs::read_to_string(page).unwrap());
    assert!(commands.len() > 6);
    for (words, mut wanted) in commands {
        let words: Vec<&str> = words.split(' ').map(|word| word.trim_matches('\'')).collect();
        let output = command(&emperor, 0, &words).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let mut told: Vec<&str> = text.lines().collect();
        // Whoever is ready first is told of first.
        told.sort_unstable();
        wanted.sort();
        assert_eq!(told, wanted, "{words:?}");
    }
}
