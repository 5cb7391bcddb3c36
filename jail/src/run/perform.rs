//! One step by the process that we are: the same steps, the same code, without a child.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;

use super::walk::Walk;
use crate::plan::{Failure, Step};

/// Does one step; programs get the environment of this process.
///
/// # Errors
/// What [`perform_with`] gives.
pub fn perform(step: &Step) -> Result<(), Failure> {
    let runs_programs = matches!(step, Step::Run(..) | Step::Errand(_) | Step::Exec(_));
    let environment = if runs_programs { environment() } else { Vec::new() };
    perform_with(step, &environment)
}

fn environment() -> Vec<CString> {
    let pair =
        |(name, value): (OsString, OsString)| [name.into_vec(), b"=".to_vec(), value.into_vec()].concat();
    std::env::vars_os().filter_map(|one| CString::new(pair(one)).ok()).collect()
}

/// Does one step; programs get `environment`, each `NAME=value`. `Step::Exec` returns only when it failed, and
/// `Step::Descriptors` closes what is not listed, whoever owns it.
///
/// # Errors
/// The failure, as step 1; see [`Failure::about`].
pub fn perform_with(step: &Step, environment: &[CString]) -> Result<(), Failure> {
    let mut walk = Walk::new(std::slice::from_ref(step), environment);
    walk.carry_out(0).map_err(|failure| Failure { step: 1, ..failure })
}
