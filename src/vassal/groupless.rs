//! Terminals in a user namespace: their group, `tty`, has no number in there unless its owner has been lent it. A server of ssh ends when it
//! cannot give a terminal to a group that `/etc/group` has.

use jail::run;

use crate::seccomp;

/// The group `tty`, wherever devpts is mounted as distributions do.
const TTY: u32 = 5;

/// Where their group has no number, whoever gives something to it is told that the file system is read-only, which servers of ssh put up
/// with, and not that the number is none. What cannot be done either way still is not.
///
/// Must: be put on the daemon itself: whoever has a filter more than a vassal's command is taken for somebody with less rights than it.
/// Whoever is neither root nor without a way to new privileges gets no filter, and is as before.
pub fn bear() {
    if std::fs::read_to_string("/proc/self/gid_map").is_ok_and(|map| !has_number(&map, TTY)) {
        let _ = run::filter(&seccomp::terminals());
    }
}

/// Pure. Whether this id is one inside: a line says the first inside, the first outside, and how many.
fn has_number(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().filter_map(|word| word.parse::<u32>().ok());
        let (Some(first), Some(_), Some(count)) = (numbers.next(), numbers.next(), numbers.next()) else {
            return false;
        };
        id.checked_sub(first).is_some_and(|place| place < count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_a_number_where_a_line_of_the_map_holds_it() {
        for (map, has) in [
            ("         0          0 4294967295\n", true),
            ("      1001       1001          1\n", false),
            ("0 1001 1\n1 100000 65536\n", true),
            ("0 1001 5\n", false),
            ("0 1001 6\n", true),
            ("6 1 9\n", false),
            ("", false),
        ] {
            assert_eq!(has_number(map, TTY), has, "{map}");
        }
    }

    #[test]
    fn the_filter_is_one() {
        assert_eq!(seccomp::terminals().refused, "terminals");
    }
}
