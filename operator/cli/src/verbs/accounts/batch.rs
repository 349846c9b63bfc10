//! Lines of the input, in batches that a node takes in one call.

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Lines of one batch: each is a transaction at the node, and a call has 15 seconds there.
const LINES_MAX: usize = 500;
/// Bytes of one batch: less than `admin.body_bytes_max` is by default.
const BYTES_MAX: usize = 96 << 10;
/// Longest line in bytes.
const LINE_BYTES_MAX: usize = 64 << 10;

/// As the API for administrators reads it, so that what is wrong is told with the number of the line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    account: Option<String>,
    name: Option<String>,
    #[serde(rename = "domain")]
    _domain: Option<String>,
    password_hash: String,
    #[serde(rename = "profile")]
    _profile: Option<Map<String, Value>>,
}

/// Some lines.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Lines that were read for it, empty ones not counted.
    pub(super) lines: u64,
    /// What is to be sent.
    pub(super) body: Vec<u8>,
    /// The number in the input of each line of the body.
    pub(super) numbers: Vec<u64>,
    /// Lines that are not sent, and why.
    pub(super) refused: Vec<(u64, String)>,
}

/// Reads batches.
pub(super) struct Batches {
    input: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    number: u64,
    /// A line that found no room in the batch before.
    left: Option<Vec<u8>>,
}

impl Batches {
    pub(super) fn new(input: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self {
            input: BufReader::new(input),
            number: 0,
            left: None,
        }
    }

    /// Lines that were read so far.
    pub(super) fn read(&self) -> u64 {
        self.number
    }

    /// The next batch; nothing at the end.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) async fn next(&mut self) -> std::io::Result<Option<Batch>> {
        let mut batch = Batch::default();
        while batch.numbers.len() + batch.refused.len() < LINES_MAX {
            let line = match self.left.take() {
                Some(line) => line,
                None => match self.line().await? {
                    Some(line) => line,
                    None => break,
                },
            };
            let line_bytes = line.trim_ascii();
            if line_bytes.is_empty() {
                continue;
            }
            if batch.body.len() + line_bytes.len() > BYTES_MAX {
                self.left = Some(line);
                break;
            }
            batch.lines += 1;
            match check(line_bytes) {
                Ok(()) => {
                    batch.body.extend_from_slice(line_bytes);
                    batch.body.push(b'\n');
                    batch.numbers.push(self.number);
                }
                Err(reason) => batch.refused.push((self.number, reason)),
            }
        }
        Ok((batch.lines > 0).then_some(batch))
    }

    /// One line, of which no more is kept than tells that it is too long.
    async fn line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let most = LINE_BYTES_MAX as u64 + 1;
        if (&mut self.input).take(most).read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if !line.ends_with(b"\n") && line.len() > LINE_BYTES_MAX {
            self.pass_over_line().await?;
        }
        Ok(Some(line))
    }

    async fn pass_over_line(&mut self) -> std::io::Result<()> {
        loop {
            let part = self.input.fill_buf().await?;
            let end = part.iter().position(|byte| *byte == b'\n');
            let (passed, ended) = match end {
                Some(place) => (place + 1, true),
                None => (part.len(), part.is_empty()),
            };
            self.input.consume(passed);
            if ended {
                return Ok(());
            }
        }
    }
}

/// What is wrong with a line, as far as it tells that itself.
fn check(line: &[u8]) -> Result<(), String> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("longer than {LINE_BYTES_MAX} bytes"));
    }
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        // The place in the line; of the line itself there is only one.
        error.to_string().replace(" at line 1 column", " at column")
    })?;
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if !given(&line.account) && !given(&line.name) {
        return Err("neither account nor name is given".to_owned());
    }
    let known = ["$2", "$argon2id$"];
    if !known.iter().any(|start| line.password_hash.starts_with(start)) {
        return Err("passwordHash: neither argon2id in PHC form nor bcrypt".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn batches(text: String) -> Vec<Batch> {
        let mut batches = Batches::new(Box::new(std::io::Cursor::new(text.into_bytes())));
        let mut all = Vec::new();
        while let Some(batch) = batches.next().await.unwrap() {
            all.push(batch);
        }
        all
    }

    #[tokio::test]
    async fn each_wrong_line_is_named_and_the_others_go_on() {
        let good = r#"{"name": "bob", "passwordHash": "$2a$10$x"}"#;
        let long = format!(r#"{{"name": "{}"}}"#, "x".repeat(3 * LINE_BYTES_MAX));
        let lines = [
            good,
            "",
            "{",
            r#"{"name": "bob", "passwrdHash": "$2a$10$x"}"#,
            &long,
            r#"{"passwordHash": "$2a$10$x"}"#,
            r#"{"name": "bob", "passwordHash": "secret"}"#,
            good,
        ];
        let all = batches(lines.join("\r\n")).await;
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].lines, &all[0].numbers[..]), (7, &[1, 8][..]));
        assert_eq!(all[0].body, format!("{good}\n{good}\n").into_bytes());
        let told: Vec<_> = all[0]
            .refused
            .iter()
            .map(|(line, reason)| (*line, reason.as_str()))
            .collect();
        let numbers: Vec<_> = told.iter().map(|(line, _)| *line).collect();
        assert_eq!(numbers, [3, 4, 5, 6, 7]);
        assert!(told[1].1.contains("passwrdHash"), "{told:?}");
        assert!(told[2].1.contains("longer than"), "{told:?}");
        assert!(!format!("{told:?}").contains("secret"), "no content is told");
    }

    #[tokio::test]
    async fn batches_are_bounded_in_lines_and_in_bytes() {
        let line = |name: &str| format!(r#"{{"name": "{name}", "passwordHash": "$2a$10$x"}}"#);
        let many: Vec<String> = (0..2 * LINES_MAX + 1)
            .map(|number| line(&number.to_string()))
            .collect();
        let sizes: Vec<usize> = batches(many.join("\n"))
            .await
            .iter()
            .map(|one| one.numbers.len())
            .collect();
        assert_eq!(sizes, [LINES_MAX, LINES_MAX, 1]);
        let large: Vec<String> = (0..3).map(|_| line(&"x".repeat(40_000))).collect();
        let all = batches(large.join("\n")).await;
        let numbers: Vec<_> = all.iter().map(|one| one.numbers.clone()).collect();
        assert_eq!(numbers, [vec![1, 2], vec![3]]);
        assert!(all.iter().all(|one| one.body.len() <= BYTES_MAX + LINES_MAX));
    }
}
