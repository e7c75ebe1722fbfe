use bytes::Bytes;

use crate::change::{attributes, condition, edits};
use crate::digest::sha256;
use crate::options::{Attributes, Condition, Edit, TargetOptions};
use crate::v1;
use crate::v1::transaction_operation::Action;

/// The steps of a transaction: 1 to 1,000, each path changed by one of them only, at most 1 MiB of data together. All
/// conditions are about the time before it. Nothing is sent before [`Client::transaction`](crate::Client::transaction).
///
/// A step's condition is given after it:
///
/// ```ignore
/// Transaction::new().write("a", "one", None).if_revision(3).remove("b").check("c", condition)
/// ```
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    pub(crate) operations: Vec<v1::TransactionOperation>,
}

impl Transaction {
    /// Without a step.
    pub fn new() -> Self {
        Transaction::default()
    }

    /// Creates or replaces a file. `mode` are its permission bits.
    pub fn write(self, path: impl Into<String>, data: impl Into<Bytes>, mode: Option<u32>) -> Self {
        let data = data.into();
        let sha256 = sha256(&data);
        self.step(path, Action::Write(v1::TransactionWrite { data, mode, sha256 }))
    }

    /// Adds bytes at the end of a file, creating it when it is missing.
    pub fn append(self, path: impl Into<String>, data: impl Into<Bytes>) -> Self {
        self.step(path, Action::Append(v1::TransactionAppend { data: data.into() }))
    }

    /// Replaces parts of a file, as [`Client::patch`](crate::Client::patch) does.
    pub fn patch(self, path: impl Into<String>, parts: &[Edit]) -> Self {
        let edits = edits(parts);
        self.step(path, Action::Patch(v1::TransactionPatch { edits, ..Default::default() }))
    }

    /// Deletes a file.
    pub fn remove(self, path: impl Into<String>) -> Self {
        self.step(path, Action::Delete(v1::TransactionDelete {}))
    }

    /// Moves a file. The target counts as a path of the transaction.
    pub fn move_file(self, path: impl Into<String>, target: impl Into<String>, options: TargetOptions) -> Self {
        let action = v1::TransactionMove {
            target_path: target.into(),
            overwrite: options.overwrite,
            target_precondition: condition(&options.condition),
        };
        self.step(path, Action::Move(action))
    }

    /// Copies a file, or one of its revisions; 0 is the live file. The target counts as a path of the transaction.
    pub fn copy(
        self,
        path: impl Into<String>,
        target: impl Into<String>,
        revision: i64,
        options: TargetOptions,
    ) -> Self {
        let action = v1::TransactionCopy {
            target_path: target.into(),
            overwrite: options.overwrite,
            target_precondition: condition(&options.condition),
            revision,
        };
        self.step(path, Action::Copy(action))
    }

    /// Sets a file back to an earlier revision.
    pub fn rollback(self, path: impl Into<String>, revision: i64) -> Self {
        self.step(path, Action::Rollback(v1::TransactionRollback { revision }))
    }

    /// Changes attributes of a file.
    pub fn attributes(self, path: impl Into<String>, changed: Attributes) -> Self {
        self.step(path, Action::Attributes(attributes(changed)))
    }

    /// Changes nothing, but the transaction is only committed if this holds.
    pub fn check(mut self, path: impl Into<String>, holds: Condition) -> Self {
        let precondition = condition(&holds);
        let path = path.into();
        self.operations.push(v1::TransactionOperation { path, precondition, action: None });
        self
    }

    /// The last step is only done, and with it all others, if its file has exactly this etag.
    pub fn if_etag(mut self, etag: impl Into<String>) -> Self {
        self.last(|precondition| precondition.etag = etag.into());
        self
    }

    /// The last step is only done, and with it all others, if its file is exactly this revision; 0 means that nothing may
    /// be there.
    pub fn if_revision(mut self, revision: i64) -> Self {
        self.last(|precondition| precondition.if_revision = Some(revision));
        self
    }

    /// All data of the steps together.
    pub(crate) fn data_bytes(&self) -> usize {
        let bytes = |operation: &v1::TransactionOperation| match &operation.action {
            Some(Action::Write(write)) => write.data.len(),
            Some(Action::Append(append)) => append.data.len(),
            Some(Action::Patch(patch)) => patch.edits.iter().map(|edit| edit.data.len()).sum(),
            _ => 0,
        };
        self.operations.iter().map(bytes).sum()
    }

    fn step(mut self, path: impl Into<String>, action: Action) -> Self {
        let path = path.into();
        self.operations.push(v1::TransactionOperation { path, precondition: None, action: Some(action) });
        self
    }

    fn last(&mut self, set: impl FnOnce(&mut v1::Precondition)) {
        if let Some(operation) = self.operations.last_mut() {
            set(operation.precondition.get_or_insert_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_belong_to_the_step_before() {
        let transaction =
            Transaction::new().write("a", "one", None).if_revision(3).if_etag("\"e\"").append("b", "four");
        let [a, b] = &transaction.operations[..] else { panic!("two steps") };
        let expected = v1::Precondition { etag: "\"e\"".into(), if_revision: Some(3) };
        assert_eq!(a.precondition, Some(expected));
        assert_eq!(b.precondition, None);
        assert_eq!(transaction.data_bytes(), 7);
    }
}
