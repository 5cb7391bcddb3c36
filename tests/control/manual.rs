//! The commands of `docs/control.md`, with their answers.

use std::path::Path;

use super::common::{Emperor, Tree};
use super::{IDLE, command};

/// What stands between fences; each is tried elsewhere (`completed.rs`).
const FENCED: [&str; 1] = ["eval \"$(liege completions bash)\""];

/// Each command of the page, and the lines right below it. A line that is neither is a mistake: nobody would try it.
fn commands(page: &str) -> Result<Vec<(String, Vec<String>)>, &str> {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    let (mut is_answered, mut is_fenced) = (false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_fenced {
            FENCED.contains(&line).then_some(()).ok_or(line)?;
        } else if let Some(words) = line.strip_prefix("    $ liege ") {
            commands.push((words.to_owned(), Vec::new()));
            is_answered = true;
        } else if line.starts_with(char::is_whitespace) {
            let said = line.strip_prefix("    ").filter(|said| is_answered && !said.starts_with('$'));
            let (_, answer) = commands.last_mut().ok_or(line)?;
            answer.push(said.ok_or(line)?.to_owned());
        } else {
            is_answered = false;
        }
    }
    if is_fenced { Err("a fence without an end") } else { Ok(commands) }
}

#[test]
fn no_line_of_a_page_goes_unseen() {
    let known = "Text.\n\n    $ liege stop a\n    a: stopped\n    $ liege update\n    nothing\n\nText.\n";
    let wanted = [("stop a", ["a: stopped"]), ("update", ["nothing"])];
    let wanted = wanted.map(|(words, answer)| (words.to_owned(), answer.map(str::to_owned).to_vec()));
    assert_eq!(commands(known), Ok(wanted.to_vec()));
    for line in [
        "    $ leige stop a",
        "   $ liege stop a",
        "\t$ liege stop a",
        "    liege stop a",
        "    $liege stop a",
        "    a: stopped",
    ] {
        assert_eq!(commands(&format!("{known}\n{line}\n")), Err(line));
        assert_eq!(commands(&format!("{line}\n{known}")), Err(line));
    }
    assert_eq!(commands("    $ liege stop a\n    $ leige start a\n"), Err("    $ leige start a"));
    assert!(commands("```sh\nliege stop a\n```\n").is_err() && commands("```sh\n").is_err());
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
    let text = std::fs::read_to_string(page).unwrap();
    let commands = commands(&text).unwrap();
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
