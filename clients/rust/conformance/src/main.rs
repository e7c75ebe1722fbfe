//! The driver of the Rust client for the conformance suite: test/conformance/PROTOCOL.md says what it does.

mod args;
mod content;
mod driver;
mod failure;
mod files;
mod golden;
mod locks;
mod message;
mod options;
mod recovery;
mod upload;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::args::Args;
use crate::driver::Driver;
use crate::failure::Failure;

/// Answers that are still to come when standard input ends are waited for so long.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(5);

#[tokio::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let (answers, mut answered) = unbounded_channel::<Value>();
    let writer = tokio::spawn(async move {
        let mut out = tokio::io::stdout();
        while let Some(answer) = answered.recv().await {
            let line = format!("{answer}\n");
            out.write_all(line.as_bytes()).await?;
            out.flush().await?;
        }
        std::io::Result::Ok(())
    });
    let driver = Arc::new(Driver::default());
    let mut commands = JoinSet::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let (driver, answers) = (driver.clone(), answers.clone());
        while commands.try_join_next().is_some() {}
        let (id, command) = match Command::read(&line) {
            Ok(command) => (command.id.clone(), command),
            Err(failure) => {
                answers.send(json!({"id": null, "error": failure.json()})).ok();
                continue;
            }
        };
        // What comes next may name the client.
        if command.verb == "open" {
            answers.send(answer(id, driver.open(&command.client, command.args))).ok();
            continue;
        }
        commands.spawn(async move {
            let done = driver.run(&command.client, &command.verb, command.args).await;
            answers.send(answer(id, done)).ok();
        });
    }
    timeout(LAST_ANSWERS_MAX, commands.join_all()).await.ok();
    drop(answers);
    // Locks and watches that nobody ended are no reason to stay.
    timeout(LAST_ANSWERS_MAX, writer).await.ok();
    std::process::exit(0);
}

struct Command {
    id: Value,
    client: String,
    verb: String,
    args: Args,
}

impl Command {
    fn read(line: &str) -> Result<Self, Failure> {
        let value: Value = serde_json::from_str(line).map_err(Failure::other)?;
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_string();
        let args = Args::new(value.get("args").cloned().unwrap_or(json!({})))?;
        Ok(Command { id: value["id"].clone(), client: text("client"), verb: text("verb"), args })
    }
}

fn answer(id: Value, done: Result<Value, Failure>) -> Value {
    match done {
        Ok(value) => json!({"id": id, "value": value}),
        Err(failure) => json!({"id": id, "error": failure.json()}),
    }
}
