//! What the demo prints: its steps, what it is waiting for and for how long,
//! and what the tools said.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The demo's voice.
#[derive(Debug)]
pub(super) struct Stage {
    begun: Instant,
    steps: u32,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            steps: 0,
        }
    }

    /// Announces the next step.
    pub(super) fn step(&mut self, title: &str) {
        self.steps += 1;
        println!(
            "\n=== {}. {title}   ({} s)",
            self.steps,
            self.begun.elapsed().as_secs()
        );
    }

    /// Something that was found or done.
    #[expect(clippy::unused_self, reason = "the stage is who speaks")]
    pub(super) fn say(&self, text: &str) {
        println!("    {text}");
    }

    /// What another program said.
    #[expect(clippy::unused_self, reason = "the stage is who speaks")]
    pub(super) fn quote(&self, text: &str) {
        for line in text.lines() {
            println!("  | {line}");
        }
    }

    /// Does something that takes a while, and shows that it does: in place on a
    /// terminal, a line every ten seconds elsewhere.
    #[expect(clippy::unused_self, reason = "the stage is who speaks")]
    pub(super) fn during<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let over = AtomicBool::new(false);
        let terminal = std::io::stdout().is_terminal();
        let done = thread::scope(|scope| {
            let ticker = scope.spawn(|| {
                let pulse = Duration::from_secs(if terminal { 1 } else { 10 });
                while !over.load(Ordering::Relaxed) {
                    thread::park_timeout(pulse);
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let seconds = begun.elapsed().as_secs();
                    if terminal {
                        print!("\r    {what} … {seconds} s");
                    } else {
                        println!("    {what} … {seconds} s");
                    }
                    // A terminal that is gone is nobody to show anything to.
                    let _ = std::io::stdout().flush();
                }
            });
            let done = work();
            over.store(true, Ordering::Relaxed);
            ticker.thread().unpark();
            done
        });
        let wipe = if terminal { "\r\x1b[K" } else { "" };
        println!("{wipe}    {what}: {:.1} s", begun.elapsed().as_secs_f64());
        done
    }

    pub(super) fn done(&self) {
        println!(
            "\nDone in {} s: declared in YAML, backed up, restored, the same byte for byte.",
            self.begun.elapsed().as_secs()
        );
    }
}
