//! The command line, from outside.

mod common;

use common::liege;

#[test]
fn its_version_is_one_line() {
    let output = liege(&["--version"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("liege {}\n", env!("CARGO_PKG_VERSION")));
}
