//! Standard output, where a command's answer goes, and standard error, where all else is said.
//!
//! A reader that goes (`kluis simulate … | head`) has what it wanted: what is written after that is dropped, and the command ends as it
//! would have ended, with its own exit code. Ending by a signal instead would hide what `validate` and `plan` found.

use std::fmt::Display;
use std::io::{self, ErrorKind, Stdout, Write};

use crate::output;

/// Standard output, as long as somebody reads it. It is not locked: a service tells its endpoint from a thread of its own.
#[derive(Debug)]
pub(crate) struct Answer {
    out: Stdout,
    is_read: bool,
}

impl Answer {
    pub(crate) fn begin() -> Self {
        Self {
            out: io::stdout(),
            is_read: true,
        }
    }

    fn while_read<T>(&mut self, done: io::Result<T>, dropped: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_read = false;
                Ok(dropped)
            }
            done => done,
        }
    }
}

impl Write for Answer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_read {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        self.while_read(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.is_read {
            return Ok(());
        }
        let flushed = self.out.flush();
        self.while_read(flushed, ())
    }
}

/// Says something to a person, with nothing in it that the terminal would obey. There is nowhere left to say that it could not be said.
pub(crate) fn tell(what: impl Display) {
    let what = output::shown_lines(&what.to_string());
    let _ = writeln!(io::stderr(), "kluis: {what}");
}
