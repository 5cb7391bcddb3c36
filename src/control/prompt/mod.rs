//! `liege control`: verbs one after the other, with completion and history. Each is a process of its own, so that Ctrl-C ends what it
//! does and not the prompt.

mod words;

use std::io::{BufRead, IsTerminal, Write};
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::sys::signal::SigSet;
use rustix::process::Signal;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use self::words::Typed;
use super::steer::names;
use super::target::Named;

/// Most lines that are remembered.
const HISTORY_MAX: usize = 1_000;

/// What a prompt knows.
pub struct Prompt<'a> {
    /// Which Emperor, as it was typed.
    pub address: Option<&'a str>,
    /// The verbs that there are, with what follows them.
    pub verbs: Vec<(&'static str, &'static str)>,
}

impl Prompt<'_> {
    /// Reads lines until their end, and does what they say; the highest exit status if nobody looks, as a script wants it.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn run(&self) -> Result<u8> {
        if !std::io::stdin().is_terminal() {
            return self.read(std::io::stdin().lock());
        }
        outlive_keys().context("cannot catch a signal")?;
        self.obey("status")?;
        self.converse()
    }

    fn read(&self, lines: impl BufRead) -> Result<u8> {
        let mut status = 0;
        for line in lines.lines() {
            match self.obey(&line?)? {
                Some(one) => status = status.max(one),
                None => break,
            }
        }
        Ok(status)
    }

    fn converse(&self) -> Result<u8> {
        let config = Config::builder().completion_type(CompletionType::List).max_history_size(HISTORY_MAX)?;
        let mut editor: Editor<Aid, DefaultHistory> = Editor::with_config(config.build())?;
        let verbs = self.verbs.iter().map(|(verb, _)| *verb).collect();
        editor.set_helper(Some(Aid { address: self.address.map(str::to_owned), verbs }));
        loop {
            match editor.readline("liege> ") {
                Ok(line) => {
                    editor.add_history_entry(&line)?;
                    if self.obey(&line)?.is_none() {
                        return Ok(0);
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(0),
                Err(error) => return Err(error).context("cannot read the terminal"),
            }
        }
    }

    /// Its exit status; `None` to leave.
    fn obey(&self, line: &str) -> Result<Option<u8>> {
        let verbs: Vec<&str> = self.verbs.iter().map(|(verb, _)| *verb).collect();
        Ok(match words::parse(line, &verbs, self.address) {
            Typed::Nothing => Some(0),
            Typed::Leave => None,
            Typed::Help => {
                let mut out = std::io::stdout().lock();
                for (verb, operands) in &self.verbs {
                    writeln!(out, "{verb} {}", operands.trim_start_matches("[ADDRESS] "))?;
                }
                writeln!(out, "quit")?;
                Some(0)
            }
            Typed::Do(words) => {
                let program = std::env::current_exe().context("cannot name this program")?;
                let ended = Command::new(program).args(words).status().context("cannot run a verb")?;
                if ended.code().is_none() {
                    // Behind the key that has ended it.
                    writeln!(std::io::stdout())?;
                }
                Some(ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
            }
            Typed::Wrong(sentence) => {
                crate::log::print(&format!("liege: {sentence}\n"));
                Some(2)
            }
        })
    }
}

/// A verb that is ended by a key is alone in that. It inherits neither what we do about the key nor what we were started with:
/// what is blocked or ignored stays so in whoever is started.
fn outlive_keys() -> Result<()> {
    [Signal::INT, Signal::QUIT].into_iter().try_for_each(jail::sys::outlive)?;
    Ok(SigSet::empty().thread_set_mask()?)
}

/// What the editor of lines asks.
struct Aid {
    address: Option<String>,
    verbs: Vec<&'static str>,
}

impl Completer for Aid {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let named = Named::of(self.address.as_deref().into_iter());
        let known =
            || named.ok().and_then(|named| names(named.address.as_ref(), None).ok()).unwrap_or_default();
        Ok(words::completions(&line[..at], &self.verbs, known))
    }
}

impl Hinter for Aid {
    type Hint = String;
}

impl Highlighter for Aid {}
impl Validator for Aid {}
impl Helper for Aid {}
