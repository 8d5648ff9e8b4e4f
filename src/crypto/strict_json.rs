//! JSON that can mean only one thing and costs little to refuse: bounded in depth, nodes and bytes, without duplicate
//! members (two readers could take different ones) and with nothing after the end. Everything that arrives is read here
//! before a typed reader sees it.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How much of a document is read before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document.
    pub max_bytes: usize,
    /// Arrays and objects inside one another; at most 100.
    pub max_depth: usize,
    /// Values and member names, counted together.
    pub max_nodes: usize,
}

impl Limits {
    /// For statements and parts: 512 KiB, 32 deep, 50,000 nodes.
    pub const STATEMENT: Self = Self {
        max_bytes: 512 * 1024,
        max_depth: 32,
        max_nodes: 50_000,
    };
    /// For request bodies: 1 MiB, 32 deep, 100,000 nodes.
    pub const BODY: Self = Self {
        max_bytes: 1024 * 1024,
        max_depth: 32,
        max_nodes: 100_000,
    };
}

/// What is wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More bytes than the limit.
    #[error("the document is longer than {0} bytes")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("the document is not UTF-8")]
    NotUtf8,
    /// Not JSON (RFC 8259).
    #[error("this is not JSON (RFC 8259)")]
    Syntax,
    /// The document ends too early.
    #[error("the document ends too early")]
    Truncated,
    /// A member occurs twice in one object.
    #[error("this member occurs twice in its object")]
    Duplicate,
    /// Arrays and objects lie too deep in one another.
    #[error("arrays and objects are nested deeper than {0}")]
    TooDeep(usize),
    /// Too many values.
    #[error("there are more than {0} values and member names")]
    TooManyNodes(usize),
    /// A number of 2^64 or more: readers differ in what they make of it.
    #[error("this number is too large: its magnitude must be below 2^64")]
    Number,
    /// Something follows the document.
    #[error("something follows the end of the document")]
    Trailing,
}

/// Where a document is wrong, and how. Names members and positions, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}, at {} (line {line}, column {column}, byte {offset})", if pointer.is_empty() { "the top" } else { pointer })]
pub struct JsonError {
    /// What is wrong.
    pub fault: Fault,
    /// JSON pointer (RFC 6901) of the value that is wrong; empty for the whole document. Long names are cut.
    pub pointer: String,
    /// Bytes before the point where reading stopped.
    pub offset: usize,
    /// Line of that point, from 1.
    pub line: usize,
    /// Column of that point in bytes, from 1.
    pub column: usize,
}

/// Reads one document.
///
/// # Errors
/// [`JsonError`] at the first thing that is wrong.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, JsonError> {
    if bytes.len() > limits.max_bytes {
        return Err(at_offset(
            Fault::TooLong(limits.max_bytes),
            bytes,
            limits.max_bytes,
        ));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|e| at_offset(Fault::NotUtf8, bytes, e.valid_up_to()))?;
    let state = State {
        limits,
        inner: RefCell::default(),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Node {
        state: &state,
        depth: 0,
    }
    .deserialize(&mut reader)
    .map_err(|error| state.error(&error, bytes))?;
    reader.end().map_err(|error| JsonError {
        pointer: String::new(),
        ..located(Fault::Trailing, String::new(), &error, bytes)
    })?;
    Ok(value)
}

/// Reads one document that must be an object.
///
/// # Errors
/// As [`parse`]; [`Fault::Syntax`] at the top when it is something else.
pub fn parse_object(bytes: &[u8], limits: Limits) -> Result<Map<String, Value>, JsonError> {
    match parse(bytes, limits)? {
        Value::Object(map) => Ok(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(at_offset(Fault::Syntax, bytes, 0))
        }
    }
}

/// Where the reader is, shared by the visitors of one document.
struct State {
    limits: Limits,
    inner: RefCell<Progress>,
}

#[derive(Default)]
struct Progress {
    path: Vec<Step>,
    nodes: usize,
    fault: Option<Fault>,
}

enum Step {
    Name(String),
    Index(usize),
}

/// 2^64.
const NUMBERS_BELOW: f64 = 18_446_744_073_709_551_616.0;
/// Longest member name that a pointer shows, in characters.
const MAX_NAME_SHOWN: usize = 48;

impl State {
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let mut inner = self.inner.borrow_mut();
        inner.nodes += 1;
        if inner.nodes > self.limits.max_nodes {
            inner.fault = Some(Fault::TooManyNodes(self.limits.max_nodes));
            return Err(E::custom("refused"));
        }
        Ok(())
    }

    fn refuse<E: serde::de::Error>(&self, fault: Fault) -> E {
        self.inner.borrow_mut().fault = Some(fault);
        E::custom("refused")
    }

    fn enter(&self, step: Step) {
        self.inner.borrow_mut().path.push(step);
    }

    fn leave(&self) -> Option<Step> {
        self.inner.borrow_mut().path.pop()
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.inner.borrow().path {
            pointer.push('/');
            match step {
                Step::Index(index) => pointer.push_str(&index.to_string()),
                Step::Name(name) => {
                    let shown: String = name.chars().take(MAX_NAME_SHOWN).collect();
                    pointer.push_str(&shown.replace('~', "~0").replace('/', "~1"));
                    if shown.len() < name.len() {
                        pointer.push('…');
                    }
                }
            }
        }
        pointer
    }

    fn error(&self, error: &serde_json::Error, bytes: &[u8]) -> JsonError {
        let fault = match self.inner.borrow().fault {
            Some(fault) => fault,
            None if error.is_eof() => Fault::Truncated,
            None if error.to_string().starts_with("number out of range") => Fault::Number,
            None => Fault::Syntax,
        };
        located(fault, self.pointer(), error, bytes)
    }
}

fn located(fault: Fault, pointer: String, error: &serde_json::Error, bytes: &[u8]) -> JsonError {
    let (line, column) = (error.line().max(1), error.column());
    let line_start: usize = bytes
        .split_inclusive(|b| *b == b'\n')
        .take(line - 1)
        .map(<[u8]>::len)
        .sum();
    JsonError {
        fault,
        pointer,
        offset: (line_start + column).min(bytes.len()),
        line,
        column: column.max(1),
    }
}

fn at_offset(fault: Fault, bytes: &[u8], offset: usize) -> JsonError {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = 1 + before.split(|b| *b == b'\n').count().saturating_sub(1);
    let column = 1 + before.rsplit(|b| *b == b'\n').next().map_or(0, <[u8]>::len);
    JsonError {
        fault,
        pointer: String::new(),
        offset,
        line,
        column,
    }
}

/// Reads one value; `depth` is the number of arrays and objects around it.
struct Node<'a> {
    state: &'a State,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.state.count()?;
        deserializer.deserialize_any(self)
    }
}

impl Node<'_> {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        let max = self.state.limits.max_depth.min(100);
        if self.depth >= max {
            Err(self.state.refuse(Fault::TooDeep(max)))
        } else {
            Ok(self.depth + 1)
        }
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .filter(|_| value.abs() < NUMBERS_BELOW)
            .map(Value::Number)
            .ok_or_else(|| self.state.refuse(Fault::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut array = Vec::new();
        loop {
            self.state.enter(Step::Index(array.len()));
            match items.next_element_seed(Node {
                state: self.state,
                depth,
            })? {
                Some(item) => array.push(item),
                None => break,
            }
            self.state.leave();
        }
        self.state.leave();
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            self.state.count()?;
            let twice = map.contains_key(&name);
            self.state.enter(Step::Name(name));
            if twice {
                return Err(self.state.refuse(Fault::Duplicate));
            }
            let node = Node {
                state: self.state,
                depth,
            };
            let value = members.next_value_seed(node)?;
            if let Some(Step::Name(name)) = self.state.leave() {
                map.insert(name, value);
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests;
