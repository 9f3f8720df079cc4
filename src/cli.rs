//! The command line: a client of the same engine as the doors.

use std::process::ExitCode;

use crate::doors::native::lifecycle::{Ended, Streams, Watch, serve};
use crate::system::System;
use crate::system::os::{self, Signals};

/// Serves the native door on the standard streams.
pub fn main() -> ExitCode {
    os::raise_file_limit();
    let Ok(runtime) =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(8).build()
    else {
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(async {
        let signals = Signals::watch()?;
        let streams = Streams { input: os::stdin()?, output: os::take_stdout()? };
        serve(System::real(), streams, Watch::Process(signals)).await
    });
    runtime.shutdown_background();
    match ended {
        Ok(Ended::Closed | Ended::ClientGone) => ExitCode::SUCCESS,
        Ok(Ended::Signal(number)) => ExitCode::from(128 + u8::try_from(number).unwrap_or(127)),
        Err(_) => ExitCode::FAILURE,
    }
}
