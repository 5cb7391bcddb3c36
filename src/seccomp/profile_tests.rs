use jail::plan::compile;

use super::*;

const SETTING: Setting = Setting { capabilities: Capabilities::NONE, kernel: (6, 1) };

fn rules(text: &str) -> Rules {
    read(text, SETTING).unwrap_or_else(|error| panic!("{error}"))
}

fn number(name: &str) -> u32 {
    Sysno::from_str(name).expect("a call").id().unsigned_abs()
}

fn with(row: &str) -> Rules {
    rules(&format!(r#"{{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{row}]}}"#))
}

#[test]
fn a_profile_is_its_default_and_its_rows() {
    let rules = with(
        r#"{"names": ["read", "write", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
                        {"name": "mount", "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "args": null}"#,
    );
    assert_eq!((rules.otherwise, rules.newer), (Answer::errno(1), Answer::errno(38)));
    let always = |answer| vec![Clause { tests: Vec::new().into(), answer }];
    let expected = [("read", Answer::ALLOW), ("write", Answer::ALLOW), ("mount", Answer::errno(38))];
    let expected = expected.map(|(name, answer)| (number(name), always(answer)));
    assert_eq!(rules.calls, expected.into_iter().collect());
}

#[test]
fn a_row_counts_where_its_conditions_hold() {
    let allowed = |conditions: &str, setting: Setting| {
        let row = format!(r#"{{"names": ["read"], "action": "SCMP_ACT_ALLOW", {conditions}}}"#);
        let text = format!(r#"{{"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [{row}]}}"#);
        !read(&text, setting).expect("a profile").calls.is_empty()
    };
    let admin = Setting { capabilities: Capabilities::all(), ..SETTING };
    for (conditions, without, with) in [
        (r#""includes": {"caps": ["CAP_SYS_ADMIN"]}"#, false, true),
        (r#""excludes": {"caps": ["CAP_SYS_ADMIN"]}"#, true, false),
        (r#""includes": {"caps": ["CAP_NO_SUCH"]}"#, false, false),
        (r#""includes": {"minKernel": "4.8"}"#, true, true),
        (r#""includes": {"minKernel": "6.2"}"#, false, false),
        (r#""excludes": {"minKernel": "4.8"}"#, false, false),
        (r#""includes": {"arches": ["s390x"]}"#, false, false),
        (r#""includes": {"arches": ["amd64", "arm64", "riscv64"]}"#, true, true),
        (r#""includes": {}, "excludes": {}"#, true, true),
    ] {
        assert_eq!(
            (allowed(conditions, SETTING), allowed(conditions, admin)),
            (without, with),
            "{conditions}"
        );
    }
}

/// A number in the low half is what the kernel sees, so a bit in the high one must not let a call through.
#[test]
fn comparisons_let_through_no_more_for_a_bit_in_the_high_half() {
    let compare = |action: &str, operation: &str, value: u64| {
        let argument = format!(r#"{{"index": 0, "value": {value}, "op": "SCMP_CMP_{operation}"}}"#);
        let rules =
            with(&format!(r#"{{"names": ["socket"], "action": "SCMP_ACT_{action}", "args": [{argument}]}}"#));
        rules.calls[&number("socket")][0].tests[0].compare
    };
    assert_eq!(compare("ALLOW", "NE", 40), Compare::Low(Relation::NotEqual, 40));
    assert_eq!(compare("ALLOW", "EQ", 2), Compare::Whole(Relation::Equal, 2));
    assert_eq!(compare("ALLOW", "LT", 38), Compare::Whole(Relation::Less, 38));
    assert_eq!(compare("ALLOW", "GE", 38), Compare::Low(Relation::AtLeast, 38));
    assert_eq!(compare("KILL", "EQ", 40), Compare::Low(Relation::Equal, 40));
    assert_eq!(compare("ERRNO", "GT", 38), Compare::Whole(Relation::Greater, 38));
    assert_eq!(compare("ALLOW", "NE", 1 << 33), Compare::Whole(Relation::NotEqual, 1 << 33));
}

#[test]
fn tests_of_one_argument_are_alternatives_and_tests_of_several_belong_together() {
    let arguments = |first: u8, second: u8| {
        let one = |index| format!(r#"{{"index": {index}, "value": 1, "op": "SCMP_CMP_EQ"}}"#);
        let row = format!(
            r#"{{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{}, {}]}}"#,
            one(first),
            one(second)
        );
        with(&row).calls[&number("socket")].iter().map(|clause| clause.tests.len()).collect::<Vec<_>>()
    };
    assert_eq!((arguments(0, 0), arguments(0, 1)), (vec![1, 1], vec![2]));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let told = |text: &str| {
        let error = read(text, SETTING).expect_err("wrong");
        format!("{}:{} {error}", error.line(), error.column())
    };
    let row = |row: &str| told(&format!("{{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n\"syscalls\": [{row}]}}"));
    assert!(told("{").starts_with("1:1 EOF"), "{}", told("{"));
    assert!(told("{\"syscalls\": []}").contains("missing field `defaultAction`"));
    assert!(
        told("{\"defaultAction\": \"SCMP_ACT_ALOW\"}")
            .contains("unknown variant `SCMP_ACT_ALOW`, expected one of")
    );
    assert!(
        told("{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n \"syscals\": []}")
            .starts_with("2:10 unknown field `syscals`")
    );
    let odd = row(
        r#"{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}"#,
    );
    assert!(odd.starts_with("2:") && odd.contains("arguments 0 to 5"), "{odd}");
    assert!(
        row(r#"{"names": ["read"], "action": "SCMP_ACT_TRACE"}"#)
            .contains("unknown variant `SCMP_ACT_TRACE`")
    );
}

#[test]
fn every_name_of_strict_is_known_somewhere() {
    let text = include_str!("strict.json");
    let profile: Profile = serde_json::from_str(text).expect("a profile");
    // Those that only other architectures have.
    let elsewhere: &[&str] =
        if cfg!(target_arch = "x86_64") { &["riscv_flush_icache", "riscv_hwprobe"] } else { &[] };
    if cfg!(target_arch = "x86_64") {
        let names = profile.syscalls.iter().flat_map(|row| &row.names);
        let unknown: Vec<&String> = names.filter(|name| Sysno::from_str(name).is_err()).collect();
        assert_eq!(unknown, elsewhere);
    }
    assert!(compile(&rules(text)).is_some());
}

#[test]
fn the_profile_of_a_distributions_containers_is_read() {
    let Ok(text) = std::fs::read_to_string("/usr/share/containers/seccomp.json") else {
        eprintln!("skipped: no /usr/share/containers/seccomp.json here");
        return;
    };
    let rules = rules(&text);
    assert!(rules.calls.len() > 300, "{}", rules.calls.len());
    assert_eq!(rules.calls[&number("read")][0].answer, Answer::ALLOW);
    assert_eq!(rules.calls[&number("init_module")][0].answer, Answer::errno(1));
    assert!(compile(&rules).is_some());
}
