use super::{Files, load_text, pairs, sentences};

#[test]
fn a_declared_option_stands_for_several() {
    let table: [(&str, &[(&str, &str)]); 5] = [
        (
            "declare-option = site=chdir=/srv/$1;env=A=$2-$10-$1\nsite = a b c d e f g h i j\n",
            &[("chdir", "/srv/a"), ("env", "A=b-j-a")],
        ),
        ("declare-option = site=env=$1$2\nsite = a\n", &[("env", "a$2")]),
        (
            "declare-option2 = late=chdir=/$1\nlate = %(p)\nchdir = /own\np = x\n",
            &[("chdir", "/x"), ("chdir", "/own")],
        ),
        (
            "declare-option = one=env=$1\ndeclare-option = two=one=$1;one=$2\ntwo = a b\nset = two=c d\n",
            &[("env", "a"), ("env", "b"), ("env", "c"), ("env", "d")],
        ),
        ("declare-option = on=uid=1;gid=2\nif-env = HOME\non = true\nendif\n", &[("uid", "1"), ("gid", "2")]),
    ];
    for (text, wanted) in table {
        let loaded = load_text(&format!("[uwsgi]\n{text}"));
        assert_eq!(sentences(&loaded.errors), "", "{text}");
        assert_eq!(pairs(&loaded), wanted, "{text}");
    }
}

#[test]
fn a_declaration_cannot_take_a_name_or_go_on_without_end() {
    let loaded = load_text(
        "[uwsgi]\ndeclare-option = uid=env=$1\ndeclare-option = none\ndeclare-option = me=me=$1;me=$1\nme = x\nuid = 1\n",
    );
    insta::assert_snapshot!(sentences(&loaded.texts.explain(loaded.errors)), @r"
    a.ini:2:18: `uid` is an option already
      declare-option = uid=env=$1
                       ^
      take another name
    a.ini:3:18: `declare-option`: no `=`
      declare-option = none
                       ^
      write: declare-option = my-name=chdir=/srv/$1;env=NAME=$2
    a.ini:5:1: declared options use each other more than 8 deep
      me = x
      ^
      take one out that uses itself
    ");
    let wide = format!("declare-option = a={}\n", "b=1;".repeat(9_000))
        + &format!("declare-option = b={}\n", "c=1;".repeat(9_000))
        + "declare-option = c=\na = 1\n";
    let loaded = load_text(&format!("[uwsgi]\n{wide}"));
    assert!(sentences(&loaded.errors).contains("turns together"));
}

#[test]
fn what_a_config_says_and_how_it_ends_is_kept() {
    let loaded =
        load_text("[uwsgi]\nprint = %(x) $(HOME)\niprint = %(x)\nx = 1\nfallback-config = $(HOME)/f.ini\n");
    let said: Vec<&str> = loaded.said.iter().map(|said| said.value.as_str()).collect();
    assert_eq!(said, ["%(x)", "1 /home/shop"]);
    assert_eq!(loaded.fallback.as_deref(), Some("/home/shop/f.ini"));
    assert_eq!(loaded.exit, None);

    let loaded = load_text("[uwsgi]\nprint = never\niprint = now\nexit = 3\nuid = 1\nnonsense\n");
    assert_eq!((loaded.exit, loaded.said.len(), pairs(&loaded).len()), (Some(3), 1, 0));
    assert_eq!(load_text("[uwsgi]\nexit\n").exit, Some(0));
    assert!(sentences(&load_text("[uwsgi]\nexit = 256\n").errors).contains("no exit status"));
}

#[test]
fn what_makes_no_sense_here_is_refused_with_its_cure() {
    let loaded = load_text(
        "[uwsgi]\nget = a\nresolve = a=b.test\ninject-before = a.txt\ninject-after = a.txt\ndump-options\n",
    );
    insta::assert_snapshot!(sentences(&loaded.errors), @r"
    a.ini:2:1: liege has no `get`
      the values of all options are shown by: liege show-config FILE
    a.ini:3:1: liege has no `resolve`
      write the address, or let a program find it: set-ph = NAME=@(exec://getent ahostsv4 HOST | head -n1 | cut -d' ' -f1)
    a.ini:4:1: liege has no `inject-before`
      options of another file are read by: include = FILE
    a.ini:5:1: liege has no `inject-after`
      options of another file are read by: include = FILE
    a.ini:6:1: liege has no `dump-options`
      all options are listed by: liege --help
    ");
}

#[test]
fn what_a_source_contains_is_bounded() {
    let large = "y".repeat(70_000);
    let world = Files::of(&[
        ("a.ini", "[uwsgi]\nenv = @(large)\nenv = @(nul)\nenv = @(latin)\nenv = @(none)\nenv = [@(self)]\n"),
        ("large", &large),
        ("nul", "a\0b"),
        ("latin", "ok\r\n"),
        ("self", "@(self)"),
    ]);
    let loaded = world.load("a.ini");
    assert_eq!(pairs(&loaded).last(), Some(&("env", "[@(self)]")));
    insta::assert_snapshot!(sentences(&loaded.errors), @r"
    a.ini:2:7: `large` has more than 65536 bytes
      a value takes one short text
    a.ini:3:7: `nul` contains a NUL byte
      a value takes one short text
    a.ini:5:7: cannot read `none`: entity not found
      is the name right? A relative one counts from the start directory (%v)
    ");
    let many = "env = @(x)\n".repeat(1_001);
    let loaded = Files::of(&[("a.ini", &format!("[uwsgi]\n{many}")), ("x", "")]).load("a.ini");
    assert!(sentences(&loaded.errors).contains("more than 1000 sources"));
}
