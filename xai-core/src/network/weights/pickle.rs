//! Python's pickle, as far as a state dict needs it. Nothing is executed: of all functions that a
//! pickle can call, only those that put tensors together have a meaning here.

use std::collections::HashMap;

/// A Python value.
#[derive(Clone, Debug)]
pub enum Value {
    None,
    Int(i64),
    Str(String),
    /// A class or function, `module.name`.
    Global(String),
    /// A tuple or list.
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// Numbers of tensors: their class, e.g. `FloatStorage`, and the key under which they are stored.
    Storage(String, String),
    /// A tensor.
    Tensor(Box<TensorParts>),
    /// Anything else.
    Other,
    /// Where a list of arguments begins.
    Mark,
}

/// Which numbers of which storage a tensor has.
#[derive(Clone, Debug)]
pub struct TensorParts {
    pub class: String,
    pub key: String,
    /// In numbers, as are the strides.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

/// What was read.
pub struct Pickle<'a> {
    pub value: Value,
    /// Key and class of every storage that the pickle mentions.
    pub storages: HashMap<String, String>,
    /// What follows the pickle.
    pub rest: &'a [u8],
}

/// Reads one pickle from the beginning of `bytes`.
pub fn read(bytes: &[u8]) -> Result<Pickle<'_>, String> {
    let mut machine = Machine {
        bytes,
        stack: Vec::new(),
        memo: Vec::new(),
        storages: HashMap::new(),
    };
    let value = machine
        .run()
        .ok_or("is a damaged pickle, or one of an unknown kind")?;
    Ok(Pickle {
        value,
        storages: machine.storages,
        rest: machine.bytes,
    })
}

struct Machine<'a> {
    bytes: &'a [u8],
    storages: HashMap<String, String>,
    stack: Vec<Value>,
    /// Values to come back to. A container is noted as it is when it is noted, usually empty; nothing
    /// in a state dict refers to a container twice.
    memo: Vec<Value>,
}

/// `None` from any function stands for a damaged or unknown pickle.
impl<'a> Machine<'a> {
    fn run(&mut self) -> Option<Value> {
        loop {
            // The opcodes of `pickle.py`.
            match self.take(1)?[0] {
                b'.' => return self.stack.pop(),
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'(' => self.stack.push(Value::Mark),
                b'N' => self.stack.push(Value::None),
                0x88 => self.stack.push(Value::Int(1)),
                0x89 => self.stack.push(Value::Int(0)),
                b'J' => self.int(4, true)?,
                b'K' => self.int(1, false)?,
                b'M' => self.int(2, false)?,
                0x8a => {
                    let size = self.size(1)?;
                    self.int(size, true)?;
                }
                b'G' => {
                    self.take(8)?;
                    self.stack.push(Value::Other);
                }
                b'X' => self.string(4)?,
                0x8c => self.string(1)?,
                0x8d => self.string(8)?,
                b'T' => self.string(4)?,
                b'U' => self.string(1)?,
                b'B' => self.skipped(4)?,
                b'C' => self.skipped(1)?,
                0x8e => self.skipped(8)?,
                b'}' => self.stack.push(Value::Dict(Vec::new())),
                b']' | b')' => self.stack.push(Value::List(Vec::new())),
                0x8f => self.stack.push(Value::Other),
                b't' | b'l' => {
                    let items = self.since_mark()?;
                    self.stack.push(Value::List(items));
                }
                few @ 0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(few - 0x84))?;
                    let items = self.stack.split_off(from);
                    self.stack.push(Value::List(items));
                }
                b'a' => {
                    let item = self.stack.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.since_mark()?;
                    self.append(items)?;
                }
                0x90 => drop(self.since_mark()?),
                b's' => {
                    let (value, key) = (self.stack.pop()?, self.stack.pop()?);
                    self.set(vec![key, value])?;
                }
                b'u' => {
                    let items = self.since_mark()?;
                    self.set(items)?;
                }
                b'0' => drop(self.stack.pop()?),
                b'1' => drop(self.since_mark()?),
                b'2' => self.stack.push(self.stack.last()?.clone()),
                b'q' => {
                    let at = self.size(1)?;
                    self.note(at)?;
                }
                b'r' => {
                    let at = self.size(4)?;
                    self.note(at)?;
                }
                0x94 => self.note(self.memo.len())?,
                b'h' => {
                    let at = self.size(1)?;
                    self.stack.push(self.memo.get(at)?.clone());
                }
                b'j' => {
                    let at = self.size(4)?;
                    self.stack.push(self.memo.get(at)?.clone());
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.stack.push(Value::Global(format!("{module}.{name}")));
                }
                0x93 => match (self.stack.pop()?, self.stack.pop()?) {
                    (Value::Str(name), Value::Str(module)) => {
                        self.stack.push(Value::Global(format!("{module}.{name}")));
                    }
                    _ => return None,
                },
                // A value that lies outside the pickle: PyTorch's storages.
                b'Q' => {
                    let (class, key) = storage(&self.stack.pop()?)?;
                    self.storages.insert(key.clone(), class.clone());
                    self.stack.push(Value::Storage(class, key));
                }
                b'R' | 0x81 => {
                    let (arguments, function) = (self.stack.pop()?, self.stack.pop()?);
                    self.stack.push(call(&function, arguments)?);
                }
                // Sets attributes of an object, which no state dict needs.
                b'b' => drop(self.stack.pop()?),
                _ => return None,
            }
        }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    /// An unsigned number of `width` bytes.
    fn size(&mut self, width: usize) -> Option<usize> {
        let bytes = self.take(width)?.iter().rev();
        usize::try_from(bytes.fold(0u64, |value, &byte| value << 8 | u64::from(byte))).ok()
    }

    fn int(&mut self, width: usize, signed: bool) -> Option<()> {
        let bytes = self.take(width)?;
        // PyTorch's magic number is longer; its value does not matter.
        let value = match bytes.len() {
            0..=7 => bytes
                .iter()
                .rev()
                .fold(0i64, |value, &byte| value << 8 | i64::from(byte)),
            8 => i64::from_le_bytes(bytes.try_into().ok()?),
            _ => 0,
        };
        let negative = signed && width < 8 && bytes.last().is_some_and(|&byte| byte >= 0x80);
        let value = if negative {
            value - (1 << (8 * width))
        } else {
            value
        };
        self.stack.push(Value::Int(value));
        Some(())
    }

    fn string(&mut self, width: usize) -> Option<()> {
        let size = self.size(width)?;
        let text = String::from_utf8_lossy(self.take(size)?).into_owned();
        self.stack.push(Value::Str(text));
        Some(())
    }

    fn skipped(&mut self, width: usize) -> Option<()> {
        let size = self.size(width)?;
        self.take(size)?;
        self.stack.push(Value::Other);
        Some(())
    }

    fn line(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|&byte| byte == b'\n')?;
        let line = String::from_utf8_lossy(self.take(end)?).into_owned();
        self.take(1)?;
        Some(line)
    }

    fn note(&mut self, at: usize) -> Option<()> {
        let value = self.stack.last()?.clone();
        if at > self.memo.len() + 1_000_000 {
            return None;
        }
        if at >= self.memo.len() {
            self.memo.resize(at + 1, Value::None);
        }
        self.memo[at] = value;
        Some(())
    }

    fn since_mark(&mut self) -> Option<Vec<Value>> {
        let mark = self
            .stack
            .iter()
            .rposition(|value| matches!(value, Value::Mark))?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Some(items)
    }

    fn append(&mut self, items: Vec<Value>) -> Option<()> {
        if let Value::List(list) = self.stack.last_mut()? {
            list.extend(items);
        }
        Some(())
    }

    fn set(&mut self, items: Vec<Value>) -> Option<()> {
        if let Value::Dict(dict) = self.stack.last_mut()? {
            let mut items = items.into_iter();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                dict.push((key, value));
            }
        }
        Some(())
    }
}

/// Class and key, from `('storage', class, key, device, size)`.
fn storage(id: &Value) -> Option<(String, String)> {
    let Value::List(id) = id else {
        return None;
    };
    match id.as_slice() {
        [_, Value::Global(class), Value::Str(key), ..] => {
            let class = class.rsplit('.').next()?.to_owned();
            Some((class, key.clone()))
        }
        _ => None,
    }
}

fn call(function: &Value, arguments: Value) -> Option<Value> {
    let Value::Global(name) = function else {
        return Some(Value::Other);
    };
    let arguments = match arguments {
        Value::List(arguments) => arguments,
        _ => return None,
    };
    match (name.as_str(), arguments.as_slice()) {
        ("collections.OrderedDict", _) => Some(Value::Dict(Vec::new())),
        (
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor",
            [
                Value::Storage(class, key),
                Value::Int(offset),
                Value::List(shape),
                Value::List(stride),
                ..,
            ],
        ) => {
            let sizes = |list: &[Value]| list.iter().map(size).collect::<Option<Vec<_>>>();
            Some(Value::Tensor(Box::new(TensorParts {
                class: class.clone(),
                key: key.clone(),
                offset: usize::try_from(*offset).ok()?,
                shape: sizes(shape)?,
                stride: sizes(stride)?,
            })))
        }
        ("torch._utils._rebuild_parameter", [tensor, ..]) => Some(tensor.clone()),
        _ => Some(Value::Other),
    }
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Int(size) => usize::try_from(*size).ok(),
        _ => None,
    }
}
