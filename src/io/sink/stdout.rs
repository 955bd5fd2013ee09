//! The process's output.

use super::{Lines, Sink, SinkError};
use std::io::{self, ErrorKind, Write};

/// Writes lines to the process's output, and flushes each batch.
#[derive(Debug)]
pub struct StdoutSink<W = io::Stdout> {
    out: W,
}

impl StdoutSink {
    /// The process's output.
    pub fn new() -> Self {
        Self { out: io::stdout() }
    }
}

impl Default for StdoutSink {
    fn default() -> Self {
        Self::new()
    }
}

const NAME: &str = "stdout";

fn failed(error: io::Error) -> SinkError {
    let name = NAME.to_owned();
    if error.kind() == ErrorKind::BrokenPipe { SinkError::Closed { name } } else { SinkError::Write { name, error } }
}

impl<W: Write + Send> Sink for StdoutSink<W> {
    fn name(&self) -> &str {
        NAME
    }

    fn write(&mut self, lines: &Lines) -> Result<(), SinkError> {
        self.out.write_all(lines.bytes()).and_then(|()| self.out.flush()).map_err(failed)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.out.flush().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pipe;

    impl Write for Pipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let mut lines = Lines::new();
        lines.push_with("", |out| out.push(b'x'));
        assert!(matches!(StdoutSink { out: Pipe }.write(&lines), Err(SinkError::Closed { .. })));
        let mut sink = StdoutSink { out: Vec::new() };
        sink.write(&lines).unwrap();
        assert_eq!(sink.out, b"x\n");
    }
}
