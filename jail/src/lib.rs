//! A jail is planned as an ordered list of steps, then walked.
//!
//! `plan` decides (pure), `run` carries out, `sys` holds every unsafe line. This crate knows no emperor.
#![doc(html_no_source)]

pub mod plan;
pub mod run;
pub mod sys;

pub use plan::{
    Capabilities, Extent, Failure, Identity, Namespaces, Phase, Plan, Program, Spec, Step, UserMap,
};
pub use run::Born;
