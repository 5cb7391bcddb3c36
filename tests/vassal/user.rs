//! User namespaces that a vassal makes itself.

use std::os::unix::fs::MetadataExt;

use super::emperor::Place;
use super::separation::uwsgi;

const LOOK: &str = "command = sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -G; cat DIR/secret; echo x > /etc/mine; chown 33 DIR/below'";

fn squeezed(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Row P3: root of the namespace has no right over what is root's outside.
#[test]
fn root_of_a_map_that_is_given_is_an_ordinary_user_outside() {
    for option in ["unshare = user,fs,pid", "unshare2 = user,fs,pid"] {
        let place = Place::new(&format!(
            "{option}\nunshare-id-map = 0 700000 1000\nmount-as-root = tmpfs none DIR/empty\n\
             hook-as-root = exec:echo new > DIR/own/new; chown 33:34 DIR/own/new\n{LOOK}"
        ));
        place.directory("own", 700_000, 0o755);
        place.directory("below", 0, 0o755);
        place.directory("empty", 0, 0o755);
        place.write("secret", "hidden\n");
        std::fs::set_permissions(place.path("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let outcome = place.run();
        let expected = ["0 700000 1000", "0 700000 1000", "0", "0"];
        assert_eq!(squeezed(&outcome.output), expected, "{option}: {}", outcome.errors);
        for refused in
            ["secret: Permission denied", "/etc/mine: Permission denied", "below': Operation not permitted"]
        {
            assert!(outcome.errors.contains(refused), "{option}: {refused}: {}", outcome.errors);
        }
        let new = std::fs::metadata(place.path("own/new")).unwrap();
        assert_eq!((new.uid(), new.gid()), (700_033, 700_034), "{option}");
    }
}

#[test]
fn users_of_the_map_can_be_become() {
    let place = Place::new(
        "unshare = user\nunshare-id-map = 0 700000 1000\nuid = 33\ngid = 33\ncommand = sh -c 'id -u; id -g; id -G; grep -E \"^(CapPrm|CapBnd|NoNewPrivs)\" /proc/self/status; touch DIR/own/new'",
    );
    place.directory("own", 700_033, 0o755);
    let outcome = place.run();
    let expected =
        ["33", "33", "33", "CapPrm: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1"];
    assert_eq!(
        (squeezed(&outcome.output), outcome.errors.as_str()),
        (expected.map(str::to_owned).to_vec(), "")
    );
    let new = std::fs::metadata(place.path("own/new")).unwrap();
    assert_eq!((new.uid(), new.gid()), (700_033, 700_033));
}

/// With the real uWSGI nobody inside has a number, and nobody can be become.
#[test]
fn without_a_map_root_has_a_number_and_nobody_else() {
    for option in ["unshare", "unshare2"] {
        let looks = |log: &str| {
            format!(
                "{option} = user\nexec-as-root = readlink /proc/self/ns/user >> DIR/{log}; cat /proc/self/uid_map >> DIR/{log}; id -u >> DIR/{log}\n"
            )
        };
        let place = Place::new(&(looks("own") + "command = true"));
        let outcome = place.run();
        assert_eq!((outcome.errors.as_str(), outcome.code()), ("", 0), "{option}");
        uwsgi(&place, &(looks("real") + "exec-as-user = false"));
        let host = std::fs::read_link("/proc/self/ns/user").unwrap().display().to_string();
        let (own, real) = (squeezed(&place.read("own")), squeezed(&place.read("real")));
        assert!(own[0] != host && real[0] != host, "{own:?} {real:?}");
        assert_eq!(own[1..], ["0 0 1", "0"], "{option}");
        assert_eq!(real[1], "65534", "{option}: {real:?}");
    }
}
