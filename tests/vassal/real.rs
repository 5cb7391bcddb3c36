//! The real uWSGI.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::emperor::Place;

/// A real uWSGI with these options; killed at the end.
pub struct Real(Child);

impl Real {
    /// Starts it in this place.
    pub fn start(place: &Place, options: &str) -> Self {
        Self::start_with(place, options, ("LC_ALL", "C"))
    }

    /// The same with a variable of the environment.
    pub fn start_with(place: &Place, options: &str, (name, value): (&str, &str)) -> Self {
        let path = place.write("real.ini", &format!("master = true\nprocesses = 1\n{options}"));
        let mut command = Command::new("uwsgi");
        command.env(name, value);
        command.arg("--ini").arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.process_group(0).spawn().expect("uwsgi is installed (apt install uwsgi-core)"))
    }

    /// Waits for its end: the exit status.
    pub fn end(&mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }

    /// Its pid.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}
