//! Where a config may come from besides a file, who asks there, and what hostile configs get out of it. Rows I8 and I9.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;
mod neighbour;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output, Stdio};

use common::{ALICE, LIEGE, Tree, liege, running};
use neighbour::{IDLE, JAILS, alices, tyranny};

const HELLO: &str = "[uwsgi]\ncommand = /bin/echo hello\n";

/// A vassal without an Emperor, this on its standard input.
fn vassal(option: &str, input: Stdio) -> Output {
    let mut command = Command::new(LIEGE);
    command.args(["vassal", "--ini", option]).env_clear().env("PATH", "/usr/bin:/bin").stdin(input);
    command.output().unwrap()
}

fn refused(option: &str) -> String {
    let output = vassal(option, Stdio::null());
    assert_eq!(output.status.code(), Some(1), "{option}");
    String::from_utf8(output.stderr).unwrap()
}

fn pipe_with(text: &str) -> Stdio {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    reader.into()
}

/// Answers one request with this, and gives what was asked.
fn serve(answer: String) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
        let request: Vec<String> =
            lines.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        client.write_all(answer.as_bytes()).unwrap();
        request.join("\n")
    });
    (port, served)
}

#[test]
fn a_config_comes_from_standard_input_a_descriptor_or_a_command() {
    let tree = Tree::new();
    tree.place(&tree.path("x.ini"), 0, HELLO);
    let file = || Stdio::from(File::open(tree.path("x.ini")).unwrap());
    let said = |output: Output| String::from_utf8(output.stdout).unwrap();
    assert_eq!(said(vassal("-", pipe_with(HELLO))), "hello\n");
    assert_eq!(said(vassal("-", file())), "hello\n");
    assert_eq!(said(vassal("fd://0", pipe_with(HELLO))), "hello\n");
    assert_eq!(
        said(vassal(&format!("exec://cat {}", tree.path("x.ini").display()), Stdio::null())),
        "hello\n"
    );
    let script = format!("exec 7<'{}' && exec '{LIEGE}' vassal --ini fd://7", tree.path("x.ini").display());
    assert_eq!(said(Command::new("sh").args(["-c", &script]).output().unwrap()), "hello\n");
}

#[test]
fn the_program_of_a_config_from_standard_input_finds_that_at_its_end() {
    let output = vassal("-", pipe_with("[uwsgi]\ncommand = /bin/cat\n"));
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_config_comes_from_a_server_in_one_plain_get() {
    let (port, served) = serve(format!("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{HELLO}"));
    let output = vassal(&format!("http://localhost:{port}/a/x.ini?y=1"), Stdio::null());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "hello\n");
    let request = served.join().unwrap();
    assert!(
        request
            .starts_with(&format!("GET /a/x.ini?y=1 HTTP/1.0\nHost: localhost:{port}\nUser-Agent: liege/"))
    );
    let (port, served) = serve("HTTP/1.0 404 No\r\n\r\nsecret of the server\r\n".to_owned());
    let said = refused(&format!("http://127.0.0.1:{port}/"));
    assert!(said.contains("the server answers 404") && !said.contains("secret"), "{said}");
    served.join().unwrap();
}

#[test]
fn a_command_of_a_config_has_a_session_of_its_own_and_none_of_our_descriptors() {
    let tree = Tree::new();
    let out = tree.path("out").display().to_string();
    let text = "ls /proc/self/fd; cut -d' ' -f 5-6 /proc/$$/stat; cat; echo $$";
    let _ = refused(&format!("exec://({text}) >{out} 2>&1"));
    let said = tree.text("out");
    let lines: Vec<&str> = said.lines().collect();
    // The last one is `ls` reading its directory.
    assert_eq!(lines[..4], ["0", "1", "2", "3"], "{said}");
    assert_eq!(lines[4], format!("{0} {0}", lines[5]), "group and session are its own");
}

/// Row I9: one that goes to a session of its own, below another parent, is not found by its group.
#[test]
fn nobody_whom_a_command_of_a_config_leaves_behind_outlives_its_answer() {
    let tree = Tree::new();
    let (out, mark) = (tree.path("out").display().to_string(), format!("2{:09}", std::process::id()));
    let hides =
        format!("(setsid sh -c 'echo up > {out}; sleep {mark} & exec sleep {mark}' >/dev/null 2>&1 &)");
    let script = tree.script(
        "gen",
        &format!("{hides}\nwhile ! test -s {out}; do sleep 0.01; done\nprintf '%s' '{HELLO}'"),
    );
    let output = vassal(&format!("exec://{}", script.display()), Stdio::null());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "hello\n");
    assert_eq!(tree.text("out"), "up\n");
    assert_eq!(running(&mark), 0);
}

#[test]
fn what_makes_no_sense_here_is_refused_with_what_to_use_instead() {
    for (name, instead) in [
        ("https://a/x.ini", "use exec://curl -fsS"),
        ("data://0", "put the text into a file"),
        ("sym://x", "name a file"),
        ("section://x", "name a file"),
        ("call://x", "exec://COMMAND"),
        ("callint://x", "exec://COMMAND"),
        ("ftp://a/x.ini", "known are fd, exec, http and emperor"),
        ("emperor://x", "UWSGI_EMPEROR_FD_CONFIG is not set"),
        ("fd://77", "Bad file descriptor"),
        ("fd://x", "`x` is no descriptor"),
        ("exec://false", "fails with status 1"),
        ("http://127.0.0.1:1/", "refused"),
        ("/dev/zero", "not a regular file"),
        ("x.ini:y:z", "No such file"),
    ] {
        let said = refused(name);
        assert!(said.contains(instead), "{name}: {said}");
    }
}

/// Row I9.
#[test]
fn a_source_without_end_ends_in_an_error() {
    let (port, served) = serve(format!("HTTP/1.0 200 OK\r\n\r\n{}", "x".repeat(16 << 20)));
    for endless in
        ["exec://yes".to_owned(), format!("http://127.0.0.1:{port}/"), "exec://yes x | tr -d '\\n'".into()]
    {
        assert!(refused(&endless).contains("larger than 1048576 bytes"), "{endless}");
    }
    // It was not read to its end.
    assert!(served.join().is_err());
    let (reader, writer) = std::io::pipe().unwrap();
    let quiet = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", quiet.local_addr().unwrap());
    let waiting = [
        std::thread::spawn(move || vassal(&address, Stdio::null())),
        std::thread::spawn(|| vassal("exec://echo '[uwsgi]'; sleep 1000000", Stdio::null())),
        std::thread::spawn(|| vassal("-", reader.into())),
    ];
    for output in waiting.map(|one| one.join().unwrap()) {
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("no end of it in time"), "{said}");
    }
    drop(writer);
}

/// Row I8: whoever checks somebody's config runs nothing of it.
#[test]
fn a_check_runs_no_command_of_a_config_and_asks_no_server() {
    let tree = Tree::new();
    let marker = tree.path("marker");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let text = format!(
        "[uwsgi]\nini = exec://touch {}\nini = http://{address}/x.ini\nini = -\nini = fd://0\ncommand = a\n",
        marker.display()
    );
    let path = tree.vassals().join("x.ini");
    tree.place(&path, 0, &text);
    for verb in ["check", "plan"] {
        let output = liege(&[verb, path.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let said = String::from_utf8(liege(&["check", path.to_str().unwrap()]).stdout).unwrap();
    assert_eq!(said.matches("not run here").count(), 4, "{said}");
    assert!(!marker.exists() && listener.accept().is_err());
}

/// Row I8: a tenant's config does what it says with the tenant's rights, in the tenant's jail.
#[test]
fn a_command_of_a_tenants_config_is_the_tenants() {
    for jail in JAILS {
        let (emperor, neighbour) = tyranny(jail, &[]);
        let out = emperor.tree.path("alice/out");
        let text = "grep -E '^(CapEff|NoNewPrivs)' /proc/self/status";
        alices(&emperor.tree, "x.ini", &format!("ini = exec://{text} >{}\n{IDLE}", out.display()));
        let said = common::eventually("the words of her command", || {
            std::fs::read_to_string(&out).ok().filter(|text| text.lines().count() == 2)
        });
        assert!(said.contains("NoNewPrivs:\t1"), "{said}");
        // Elsewhere she is root of her jail, as in its other phases.
        if jail == JAILS[0] {
            assert!(said.contains("CapEff:\t0000000000000000"), "{said}");
        }
        assert_eq!(std::fs::metadata(&out).unwrap().uid(), ALICE);
        neighbour.assert_served();
    }
}

/// Row I8: nothing is shown to her that she may not read herself.
#[test]
fn a_tenant_learns_nothing_of_a_file_that_is_not_hers_to_read() {
    for jail in JAILS {
        let (emperor, neighbour) = tyranny(jail, &[]);
        let secret = emperor.tree.path("secret.ini");
        emperor.tree.place(&secret, 0, "[uwsgi]\npassword of root\n");
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        for (number, line) in [
            format!("include = {}", secret.display()),
            format!("ini = {}", secret.display()),
            format!("inherit = {}", secret.display()),
            format!("yaml = {}", secret.display()),
            "ini = /etc/shadow".to_owned(),
            format!("ini = exec://cat {}", secret.display()),
        ]
        .iter()
        .enumerate()
        {
            let name = format!("x{number}.ini");
            alices(&emperor.tree, &name, &format!("{line}\n{IDLE}"));
            emperor.lines.wait_since(0, |said| said.contains(&name) && said.contains("cannot read"));
        }
        assert!(
            !emperor.lines.has(|line| line.contains("password") || line.contains("root:")),
            "a secret was shown"
        );
        neighbour.assert_served();
    }
}

/// Row I8: what lies between other bytes is no config.
#[test]
fn a_config_in_a_picture_is_none() {
    let (emperor, neighbour) = tyranny(JAILS[0], &[]);
    let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\n[uwsgi]\n".to_vec();
    picture.extend_from_slice(format!("exec-as-user = touch ran\n{IDLE}").as_bytes());
    let path = emperor.tree.path("alice/picture.ini");
    let fresh = emperor.tree.path("alice/picture.fresh");
    File::create(&fresh).unwrap().write_all(&picture).unwrap();
    std::os::unix::fs::chown(&fresh, Some(ALICE), Some(ALICE)).unwrap();
    std::fs::rename(fresh, path).unwrap();
    emperor.lines.wait_since(0, |line| line.contains("picture.ini") && line.contains("this is no text file"));
    assert!(!emperor.tree.path("alice/ran").exists());
    neighbour.assert_served();
}

/// Row I9.
#[test]
fn a_file_of_a_gigabyte_is_refused_at_its_first_mebibyte() {
    let tree = Tree::new();
    for name in ["x.ini", "x.xml", "x.yaml", "x.json", "x.toml"] {
        let path = tree.path(name);
        File::create(&path).unwrap().set_len(1 << 30).unwrap();
        let output = liege(&["check", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stdout).unwrap().contains("larger than 1048576 bytes"), "{name}");
    }
}

/// Row I9: real keys, each one a line, in every format.
#[test]
fn a_million_keys_are_no_million_errors_and_little_memory() {
    let tree = Tree::new();
    let keys = |line: fn(u32) -> String| (0..1_000_000).map(line).collect::<String>();
    for (name, text) in [
        ("x.ini", format!("[uwsgi]\n{}", keys(|number| format!("k{number}=1\n")))),
        ("x.xml", format!("<uwsgi>{}</uwsgi>", keys(|number| format!("<k{number}/>")))),
        ("x.yaml", format!("uwsgi:\n{}", keys(|number| format!(" k{number}: 1\n")))),
        ("x.json", format!("{{\"uwsgi\":{{{}\"k\":1}}}}", keys(|number| format!("\"k{number}\":1,")))),
        ("x.toml", format!("[uwsgi]\n{}", keys(|number| format!("k{number}=1\n")))),
    ] {
        let path = tree.path(name);
        std::fs::write(&path, text).unwrap();
        let said = frugally(&format!("exec '{LIEGE}' check '{}'", path.display()));
        assert!(said.contains("larger than 1048576 bytes"), "{name}: {said}");
        // Of whoever reads it, and of the Emperor who would not take it.
        assert_eq!(said.matches("error").count(), 2, "{name}: {said}");
    }
}

/// Row I9: a line of text, not a hole in a file.
#[test]
fn a_line_of_a_gigabyte_is_one_error_and_little_memory() {
    let tree = Tree::new();
    let said = frugally(&format!("head -c 1G /dev/zero | tr '\\0' x | '{LIEGE}' vassal --ini - 2>&1"));
    assert!(said.contains("larger than 1048576 bytes"), "{said}");
    let line = "x".repeat(1 << 20);
    let files = tree.path("many.ini");
    // As long as a file may be, with the name of its section.
    std::fs::write(&files, format!("[uwsgi]\n{}", &line[8..])).unwrap();
    let said = frugally(&format!("exec '{LIEGE}' check '{}'", files.display()));
    assert!(said.contains("a line of more than 65536 bytes"), "{said}");
}

/// What a shell line prints that gets along with 64 MiB of memory for data, and fails.
fn frugally(line: &str) -> String {
    let script = format!("ulimit -d 65536 && {line}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
