//! Lines of rules, grants and leases: read, made ready, and held against packets beside a walk through them.

#![no_main]

use std::str;

use libfuzzer_sys::fuzz_target;
use routers::tuntap::{Book, Compiled, Grant, Leases, Packet, Prefix, Rule, Wrong};

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (text, packet) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(text) = str::from_utf8(text) else { return };
    let mut rules = Vec::new();
    for line in text.lines() {
        let _ = (explained(Grant::parse(line), line), explained(Rule::device(line), line));
        rules.extend(explained(Rule::firewall(line), line).or_else(|| explained(Rule::route(line), line)));
    }
    match Book::parse(text) {
        Ok(book) => assert_eq!(Book::parse(&book.text()), Ok(book)),
        Err(wrong) => {
            let line = text.lines().nth(wrong.line - 1).expect("a line that is there");
            assert!(line.get(wrong.wrong.span).is_some());
        }
    }
    let mut leases = Leases::new(Prefix::new([10, 0, 0, 0].into(), 24).expect("a network"), &[]);
    if explained(leases.read(text), text).is_some() {
        let again = leases.text();
        assert_eq!(leases.read(&again).is_err(), !again.is_empty(), "nobody gets a second address");
    }
    rules.truncate(256);
    if let Ok(packet) = Packet::parse(packet) {
        let compiled = Compiled::new(&rules);
        let walked = rules.iter().position(|rule| rule.matches(&packet, "shop"));
        assert_eq!(compiled.find(&packet, compiled.peer("shop")), walked);
    }
});

/// What was read; else the place of what is wrong is one of the text.
fn explained<T>(read: Result<T, Wrong>, text: &str) -> Option<T> {
    if let Err(wrong) = &read {
        assert!(text.get(wrong.span.clone()).is_some() && !wrong.to_string().is_empty());
    }
    read.ok()
}
