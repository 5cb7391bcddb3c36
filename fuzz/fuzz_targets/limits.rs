//! The file of `emperor-limits`: read, its limits looked up, and its errors shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liege_fuzz::config::emperor::limits_file::{LimitsFile, changes};

fuzz_target!(|bytes: &[u8]| {
    let known = |name: &str| (name == "alice").then_some(1000);
    match LimitsFile::parse(&"limits".into(), bytes, &known) {
        Ok(limits) => {
            let knobs = limits.of("shop.ini", 1000, &[]);
            // Whoever is set free has what he had before: nothing.
            let freed = changes(&knobs, &[]);
            assert_eq!(freed.len(), knobs.len());
            assert!(changes(&knobs, &knobs).is_empty());
        }
        Err(errors) => errors.iter().for_each(|error| assert!(!error.to_string().is_empty())),
    }
});
