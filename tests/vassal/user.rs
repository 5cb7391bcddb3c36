//! User namespaces that a vassal makes itself.

use std::fs::read_link;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::emperor::Place;
use super::separation::uwsgi;

const LOOK: &str = "command = sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -G; cat DIR/secret; echo x > /etc/mine; chown 33 DIR/below'";

fn squeezed(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Root of the namespace has no right over what is root's outside.
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
        std::fs::set_permissions(place.path("secret"), PermissionsExt::from_mode(0o600)).unwrap();
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

/// The real uWSGI ends: nobody has a number in the namespace that it made.
#[test]
fn without_a_map_root_has_a_number_and_nobody_else() {
    for option in ["unshare", "unshare2"] {
        let config = |end: &str| {
            format!(
                "{option} = user\nexec-as-root = readlink /proc/self/ns/user; cat /proc/self/uid_map; id -u\n{end}"
            )
        };
        let place = Place::new(&config("command = true"));
        let outcome = place.run();
        assert_eq!((outcome.errors.as_str(), outcome.code()), ("", 0), "{option}");
        let said = squeezed(&outcome.output);
        assert_ne!(Some(said[0].as_str()), read_link("/proc/self/ns/user").unwrap().to_str());
        assert_eq!(said[1..], ["0 0 1", "0"], "{option}");
        let real = uwsgi(&place, &config("exec-as-user = false"));
        assert!(real.contains("setuid(0): Invalid argument"), "{option}: {real}");
    }
}
