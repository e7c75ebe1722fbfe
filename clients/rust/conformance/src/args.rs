use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::failure::Failure;

/// The arguments of a command. Each is taken once; what is left is not known, and an error.
pub struct Args(Map<String, Value>);

impl Args {
    pub fn new(value: Value) -> Result<Self, Failure> {
        match value {
            Value::Object(map) => Ok(Args(map)),
            other => Err(Failure::other(format!("arguments are an object, not {other}"))),
        }
    }

    /// Every argument must have been taken by now.
    pub fn end(self) -> Result<(), Failure> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(Failure::other(format!("unknown argument {name:?}"))),
        }
    }

    pub fn any(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn typed<T>(&mut self, name: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, Failure> {
        let Some(value) = self.any(name) else { return Ok(None) };
        match read(&value) {
            Some(typed) => Ok(Some(typed)),
            None => Err(Failure::other(format!("{name} cannot be {value}"))),
        }
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        self.typed(name, |value| value.as_str().map(String::from))
    }

    /// "" when it is not given: the root, for paths.
    pub fn text_or_empty(&mut self, name: &str) -> Result<String, Failure> {
        Ok(self.text(name)?.unwrap_or_default())
    }

    pub fn flag(&mut self, name: &str) -> Result<bool, Failure> {
        Ok(self.typed(name, Value::as_bool)?.unwrap_or_default())
    }

    pub fn flag_or(&mut self, name: &str, unless_given: bool) -> Result<bool, Failure> {
        Ok(self.typed(name, Value::as_bool)?.unwrap_or(unless_given))
    }

    pub fn int(&mut self, name: &str) -> Result<Option<i64>, Failure> {
        self.typed(name, |value| value.as_i64().or_else(|| value.as_str()?.parse().ok()))
    }

    /// What the client's own types cannot say is an error here.
    pub fn number<T: TryFrom<i64>>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        let Some(value) = self.int(name)? else { return Ok(None) };
        T::try_from(value).map(Some).map_err(|_| Failure::other(format!("{name} cannot be {value}")))
    }

    pub fn ms(&mut self, name: &str) -> Result<Option<Duration>, Failure> {
        self.typed(name, |value| Some(Duration::from_secs_f64(value.as_f64().filter(|ms| *ms >= 0.0)? / 1000.0)))
    }

    pub fn texts(&mut self, name: &str) -> Result<Vec<String>, Failure> {
        let text = |value: &Value| value.as_str().map(String::from);
        Ok(self.typed(name, |value| value.as_array()?.iter().map(text).collect())?.unwrap_or_default())
    }

    pub fn object(&mut self, name: &str) -> Result<HashMap<String, String>, Failure> {
        let entry = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_string()));
        Ok(self.typed(name, |value| value.as_object()?.iter().map(entry).collect())?.unwrap_or_default())
    }

    pub fn list(&mut self, name: &str) -> Result<Vec<Args>, Failure> {
        let list = self.typed(name, |value| value.as_array().cloned())?.unwrap_or_default();
        list.into_iter().map(Args::new).collect()
    }

    /// RFC 3339.
    pub fn time(&mut self, name: &str) -> Result<Option<SystemTime>, Failure> {
        self.typed(name, |value| {
            let timestamp: prost_types::Timestamp = value.as_str()?.parse().ok()?;
            SystemTime::try_from(timestamp).ok()
        })
    }
}
