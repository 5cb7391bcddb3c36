//! Who the command is, exactly.

use std::os::unix::process::CommandExt;
use std::process::Command;

use super::emperor::{Outcome, Place};

/// The lines of `/proc/self/status` that say who a process is, as `name value value…`.
const STATUS: &str = "command = grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs):' /proc/self/status";

fn status(config: &str) -> Vec<String> {
    let outcome = Place::new(&format!("{config}\n{STATUS}")).run();
    assert_eq!(outcome.errors, "");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    outcome.output.lines().map(words).collect()
}

fn expected(id: &str, groups: &str, capabilities: &str) -> Vec<String> {
    let mut lines = vec![
        format!("Uid: {id}"),
        format!("Gid: {}", id.replace("54321", "54322")),
        format!("Groups:{groups}"),
    ];
    lines.extend(
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| format!("{set}: {capabilities}")),
    );
    lines.push("NoNewPrivs: 1".into());
    lines
}

#[test]
fn a_user_has_exactly_his_ids_and_no_capability() {
    let id = "54321 54321 54321 54321";
    assert_eq!(status("uid = 54321\ngid = 54322"), expected(id, " 54322", "0000000000000000"));
}

#[test]
fn added_groups_join_those_of_the_user() {
    let id = "54321 54321 54321 54321";
    let groups = status("uid = 54321\ngid = 54322\nadd-gid = 54330\nadd-gid = 54329");
    assert_eq!(groups, expected(id, " 54322 54329 54330", "0000000000000000"));
}

/// Row P1: groups of a user of this machine who is in more than one, with and without them.
#[test]
fn groups_of_the_user_can_be_left_out() {
    let database = std::fs::read_to_string("/etc/group").unwrap();
    let members = |line: &str| line.rsplit(':').next().unwrap_or_default().to_owned();
    let user =
        database.lines().map(members).flat_map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>());
    let Some(user) = user.into_iter().find(|user| !user.is_empty() && user != "root") else {
        eprintln!("skipped: nobody on this machine is in a second group");
        return;
    };
    let groups = |options: &str| status(&format!("uid = {user}\n{options}"))[2].split(' ').count() - 1;
    assert!(groups("") > 1);
    assert_eq!(groups("no-initgroups = true"), 1);
    assert_eq!(groups("no-initgroups = true\nadd-gid = 54330"), 2);
}

#[test]
fn a_change_of_user_in_the_midst_of_a_file_is_refused() {
    for option in ["immediate-uid", "immediate-gid"] {
        let outcome = Place::new(&format!("{option} = 54321\ncommand = echo ran")).run();
        assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
        assert!(outcome.errors.contains("they count once the phases of root are over"), "{}", outcome.errors);
    }
}

#[test]
fn kept_capabilities_survive_exec_and_are_all_there_is() {
    let id = "54321 54321 54321 54321";
    // net_bind_service is 10, kill is 5.
    assert_eq!(
        status("uid = 54321\ngid = 54322\ncap = net_bind_service,kill"),
        expected(id, " 54322", "0000000000000420")
    );
}

#[test]
fn the_primary_group_of_a_named_user_is_his_group() {
    let status = status("uid = daemon");
    assert_eq!(status[..3], ["Uid: 1 1 1 1", "Gid: 1 1 1 1", "Groups: 1"]);
}

#[test]
fn root_without_a_uid_stays_root_with_the_capabilities_it_is_left() {
    let status = status("cap = chown");
    assert_eq!(status[0], "Uid: 0 0 0 0");
    let capabilities =
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| format!("{set}: 0000000000000001"));
    assert_eq!(status[3..8], capabilities);
}

#[test]
fn nobody_becomes_root_by_asking() {
    for config in
        ["uid = root", "uid = 54321\ngid = root", "uid = 54321\ngid = 54322\nadd-gid = root", "uid = 54321"]
    {
        let outcome = Place::new(&format!("{config}\ncommand = echo ran")).run();
        assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1), "{config}");
    }
}

fn as_tenant(config: &str) -> Outcome {
    let place = Place::new(config);
    Outcome::of(place.command().uid(54321).gid(54322))
}

#[test]
fn a_tenant_may_name_the_ids_he_has_and_no_others() {
    assert_eq!(as_tenant("uid = 54321\ngid = 54322\ncommand = id -u").output, "54321\n");
    let outcome = as_tenant("uid = daemon\ncommand = id -u");
    assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
    assert!(
        outcome.errors.contains("uid = daemon: this vassal runs as uid 54321 and is not root"),
        "{}",
        outcome.errors
    );
    assert!(
        as_tenant("uid = 54321\ngid = 54322\nadd-gid = daemon\ncommand = id")
            .errors
            .contains("only root can add one")
    );
}

#[test]
fn a_tenant_is_told_how_to_get_what_only_root_can_do() {
    let outcome =
        as_tenant("exec-as-root = id\nhostname = foobar\ncap = sys_admin\nunshare = net\ncommand = id");
    assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1));
    for option in ["exec-as-root", "hostname", "cap", "unshare"] {
        let sentence = format!("{option} needs root of the vassal's own user namespace");
        assert!(outcome.errors.contains(&sentence), "{option}: {}", outcome.errors);
    }
    assert!(outcome.errors.contains("add \"user\" to emperor-use-clone"));
}

#[test]
fn a_tenants_command_gains_no_privileges() {
    assert_eq!(as_tenant("command = grep NoNewPrivs /proc/self/status").output, "NoNewPrivs:\t1\n");
}

#[test]
fn a_tenant_is_offered_only_his_own_ids() {
    let outcome = as_tenant("uid = root\ncommand = id");
    assert_eq!(outcome.code(), 1);
    let told = outcome.told();
    assert!(told[0].contains("uid = root: this vassal runs as uid 54321"), "{told:?}");
    assert!(told[0].contains("only the vassal's own user and groups are possible"), "{told:?}");
}

#[test]
fn root_of_a_users_own_namespace_has_the_name_and_home_of_the_user() {
    let place = Place::new("command = sh -c 'echo $(id -u) $USER $LOGNAME $HOME'");
    let vassal = place.command();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user"]).arg(vassal.get_program()).args(vassal.get_args());
    command.current_dir(place.path("")).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let outcome = Outcome::of(command.uid(1).gid(1));
    assert_eq!((outcome.output.as_str(), outcome.errors.as_str()), ("0 daemon daemon /usr/sbin\n", ""));
}
