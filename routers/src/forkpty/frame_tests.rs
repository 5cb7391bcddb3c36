use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    Input(Vec<u8>),
    Signal(u8),
    Rows(u16),
    Columns(u16),
}

/// What is said in these pieces; input that comes in parts is put together again.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Kept> {
    let (mut decoder, mut kept) = (Decoder::default(), Vec::new());
    for mut piece in pieces {
        while let Some(said) = decoder.next(&mut piece) {
            match (said, kept.last_mut()) {
                (Said::Input(more), Some(Kept::Input(input))) => input.extend(more),
                (Said::Input(input), _) => kept.push(Kept::Input(input.to_vec())),
                (Said::Signal(number), _) => kept.push(Kept::Signal(number)),
                (Said::Rows(rows), _) => kept.push(Kept::Rows(rows)),
                (Said::Columns(columns), _) => kept.push(Kept::Columns(columns)),
            }
        }
        assert!(piece.is_empty(), "nothing is left for later");
    }
    kept
}

fn input(bytes: &[u8]) -> Vec<u8> {
    [&input_header(bytes.len()).unwrap()[..], bytes].concat()
}

#[test]
fn frames_that_come_at_once_are_all_heard() {
    let stream =
        [&input(b"AAAA")[..], &input(b"BBBB"), &[0, 9, 9, 2], &[7, 0, 0, 3], &window_frames(50, 132)];
    let heard = decode(std::iter::once(&stream.concat()[..]));
    let expected = vec![
        Kept::Input(b"AAAABBBB".to_vec()),
        Kept::Signal(2),
        Kept::Signal(3),
        Kept::Rows(50),
        Kept::Columns(132),
    ];
    assert_eq!(heard, expected);
}

#[test]
fn the_longest_frame_passes_and_nothing_of_it_waits_for_the_rest() {
    let (mut decoder, whole) = (Decoder::default(), input(&vec![7; INPUT_MAX]));
    let mut half = &whole[..1000];
    assert_eq!(decoder.next(&mut half), Some(Said::Input(&whole[HEADER..1000])));
    assert_eq!(decoder.next(&mut half), None);
    let mut rest = &whole[1000..];
    assert_eq!(decoder.next(&mut rest), Some(Said::Input(&whole[1000..])));
    assert_eq!(input_header(INPUT_MAX + 1), None);
}

#[test]
fn an_empty_input_and_an_unknown_kind_are_nothing() {
    assert_eq!(
        decode([&[0, 0, 0, 0, 1, 5, 5, 102, 0, 0, 0, 255, 0, 1, 0, 0, b'x'][..]].into_iter()),
        [Kept::Input(b"x".to_vec())]
    );
}

#[test]
fn a_signal_has_a_number_that_a_frame_can_say() {
    assert_eq!(signal_frame(15), Some([0, 0, 0, 15]));
    assert_eq!([signal_frame(0), signal_frame(100)], [None, None]);
}

proptest! {
    #[test]
    fn pieces_do_not_matter(stream in prop::collection::vec(any::<u8>(), 0..400), cuts in prop::collection::vec(1usize..9, 1..9)) {
        let mut pieces = Vec::new();
        let (mut left, mut cuts) = (&stream[..], cuts.iter().cycle());
        while !left.is_empty() {
            let (piece, rest) = left.split_at((*cuts.next().unwrap()).min(left.len()));
            pieces.push(piece);
            left = rest;
        }
        prop_assert_eq!(decode(pieces.into_iter()), decode(std::iter::once(&stream[..])));
    }
}
