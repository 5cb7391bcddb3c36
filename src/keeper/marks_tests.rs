use super::*;

fn sorted(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut sorter, mut lines) = (Sorter::default(), Vec::new());
    pieces.iter().for_each(|piece| sorter.feed(piece, |line| lines.push(line.to_vec())));
    sorter.finish(|line| lines.push(line.to_vec()));
    lines
}

fn of(daemon: &str, text: &str) -> Vec<u8> {
    [&mark(daemon)[..], text.as_bytes()].concat()
}

#[test]
fn a_line_is_its_daemons_and_its_vassals() {
    let line = of("redis", "hello");
    assert_eq!(read(&line), Line { daemon: Some("redis"), text: b"hello" });
    let told = |line, daemon| for_reader(line, daemon).is_some();
    assert_eq!((told(&line, None), told(&line, Some("redis")), told(&line, Some("x"))), (true, true, false));
    assert_eq!((told(b"plain", None), told(b"plain", Some("redis"))), (true, false));
}

/// Row L2.
#[test]
fn what_is_no_mark_is_a_part_of_the_line() {
    let long = [&[BEGIN][..], &[b'x'; NAME_MAX + 1], &[END], b"text"].concat();
    let none = [
        &b"\x1e"[..],
        b"\x1e\x1ftext",
        b"\x1ename",
        b"\x1e-x\x1ft",
        b"\x1ea b\x1ft",
        b"\x1e\xff\x1ft",
        &long,
    ];
    for line in none {
        assert_eq!(read(line), Line { daemon: None, text: line });
        assert_eq!(sorted(&[line, b"\n"]), [line]);
        let bytes: Vec<&[u8]> = line.chunks(1).collect();
        assert_eq!(sorted(&bytes), [line]);
    }
}

#[test]
fn lines_of_daemons_come_whole_wherever_others_are_in_theirs() {
    let pieces = [&b"half of "[..], &of("redis", "its own\n"), b"a line\nanother", &of("jobs", "\n"), b"\n"];
    let lines = [of("redis", "its own"), b"half of a line".to_vec(), of("jobs", ""), b"another".to_vec()];
    assert_eq!(sorted(&pieces), lines);
    let whole = pieces.concat();
    for at in 0..whole.len() {
        let (one, two) = whole.split_at(at);
        assert_eq!(sorted(&[one, two]), lines, "in two pieces at {at}");
    }
    let doubtful = [&b"\x1e"[..], &of("redis", "its own\n"), b"\x1ejobs", &of("jobs", "x\n")];
    let lines = [of("redis", "its own"), of("jobs", "x"), b"\x1e\x1ejobs".to_vec()];
    assert_eq!(sorted(&doubtful), lines);
}

/// Row L2.
#[test]
fn a_marked_line_without_an_end_is_cut_and_takes_no_more_memory() {
    let long = [mark("d"), vec![b'x'; 3 * WHOLE_MAX]].concat();
    for size in [1, 7, WHOLE_MAX - 1, WHOLE_MAX, long.len()] {
        let pieces: Vec<&[u8]> = long.chunks(size).collect();
        let lines = sorted(&pieces);
        assert_eq!(read(&lines[0]).daemon, Some("d"));
        assert_eq!(
            (lines[0].len(), lines.concat().len()),
            (WHOLE_MAX - 1, long.len()),
            "in pieces of {size}"
        );
    }
    let longest = [mark("d"), vec![b'x'; WHOLE_MAX - 1 - mark("d").len()]].concat();
    assert_eq!(sorted(&[&longest, b"\nplain\n"]), [longest.clone(), b"plain".to_vec()]);
}

proptest::proptest! {
    #[test]
    fn nothing_is_lost_and_pieces_change_nothing(
        bytes in proptest::collection::vec(
            proptest::prop_oneof![proptest::num::u8::ANY, 0x1e_u8..0x20, 97_u8..100, 10_u8..11], 0..400),
        at in 0_usize..400,
    ) {
        let (one, two) = bytes.split_at(at.min(bytes.len()));
        let lines = sorted(&[one, two]);
        proptest::prop_assert_eq!(&lines, &sorted(&[&bytes]));
        let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
        proptest::prop_assert_eq!(lines.concat().len() + ends, bytes.len());
    }
}
