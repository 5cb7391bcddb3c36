use super::{Files, load_text, pairs, sentences};

#[test]
fn a_list_holds_until_its_file_ends_it() {
    let loaded = load_text(
        "[uwsgi]\nblacklist = exec-as-root vassals-cap\nuid = 1\nexec-as-root = id\nemperor-cap = chown\nend-blacklist\nexec-as-root = ls\nwhitelist = env\nenv = A=1\ngid = 1\nset = gid=2\nend-whitelist\ngid = 3\nend-whitelist\n",
    );
    assert_eq!(pairs(&loaded), [("uid", "1"), ("exec-as-root", "ls"), ("env", "A=1"), ("gid", "3")]);
    insta::assert_snapshot!(sentences(&loaded.errors), @r"
    a.ini:4:1: `exec-as-root` is on the blacklist of a.ini:2:1
      leave it out, or ask whoever made the list
    a.ini:5:1: `emperor-cap` is on the blacklist of a.ini:2:1
      leave it out, or ask whoever made the list
    a.ini:10:1: `gid` is not on the whitelist of a.ini:8:1
      leave it out, or ask whoever made the list
    a.ini:11:1: `set` is not on the whitelist of a.ini:8:1
      leave it out, or ask whoever made the list
    a.ini:14:1: `end-whitelist` ends nothing: this file has begun no such list
      take it out
    ");
}

#[test]
fn an_included_file_cannot_free_itself() {
    let tenant = "[uwsgi]\nend-blacklist\nblacklist = env\nend-blacklist\nset = exec-as-root=id\ndeclare-option = mine=exec-as-root=$1\nmine = id\ndeclare-option2 = late=exec-as-root=$1;inherit=c.ini\nlate = id\nenv = A=1\n";
    for how in ["include", "inherit"] {
        let admin = format!("[uwsgi]\nblacklist = exec-as-root\n{how} = b.ini\nend-blacklist\n");
        let loaded =
            Files::of(&[("a.ini", &admin), ("b.ini", tenant), ("c.ini", "[uwsgi]\nexec-as-root = id\n")])
                .load("a.ini");
        assert_eq!(pairs(&loaded), [("env", "A=1")], "{how}");
        let told = sentences(&loaded.errors);
        assert_eq!(told.matches("is on the blacklist of a.ini:2:1").count(), 4, "{told}");
        assert_eq!(told.matches("ends nothing").count(), 1, "{told}");
    }
}

#[test]
fn strict_admits_options_alone() {
    let text = "[uwsgi]\nmine-own = 1\nstrict = true\nenv = %(mine-own)\nx-mine = 1\nset = gdi=1\n";
    let loaded = load_text(text);
    assert_eq!(pairs(&loaded), [("env", "1")]);
    insta::assert_snapshot!(sentences(&loaded.errors), @r"
    a.ini:2:1: no option is called `mine-own`, and `strict` admits no placeholders
      leave it out, or leave out `strict`
    a.ini:5:1: no option is called `x-mine`, and `strict` admits no placeholders
      leave it out, or leave out `strict`
    a.ini:6:1: no option is called `gdi`, and `strict` admits no placeholders
      did you mean `gid`?
    ");
    assert!(load_text(&format!("{text}strict = no\n")).errors.is_empty());
}
