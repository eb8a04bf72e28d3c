//! The part of Python's pickle that a state dict needs. Nothing is executed. Of all functions that
//! a pickle can call, only those that assemble tensors are supported.

use std::collections::HashMap;
use std::rc::Rc;

/// A Python value. All are cheap to copy, because a pickle can refer to the same value again with
/// two bytes.
#[derive(Clone, Debug)]
pub enum Value {
    None,
    Int(i64),
    Str(Rc<str>),
    /// A class or function, `module.name`.
    Global(Rc<str>),
    /// A tuple or list, as its index in [`Pickle::lists`].
    List(usize),
    /// A dictionary, as its index in [`Pickle::dicts`].
    Dict(usize),
    /// Numbers of tensors.
    Storage(Rc<Storage>),
    /// A tensor.
    Tensor(Rc<TensorParts>),
    /// An object of this class.
    Object(Rc<str>),
    /// Anything else.
    Other,
    /// The start of a list of arguments.
    Mark,
}

/// Numbers of tensors: their class, e.g. `FloatStorage`, and the key under which they are stored.
#[derive(Debug)]
pub struct Storage {
    pub class: String,
    pub key: String,
}

/// Which numbers of which storage belong to a tensor.
#[derive(Debug)]
pub struct TensorParts {
    pub storage: Rc<Storage>,
    /// A type that differs from the storage's class, e.g. `torch.uint16`, or another reason why it
    /// cannot be used.
    pub kind: Option<Rc<str>>,
    /// In numbers, like the strides.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

/// The result of reading.
pub struct Pickle<'a> {
    pub value: Value,
    pub lists: Vec<Vec<Value>>,
    pub dicts: Vec<Vec<(Value, Value)>>,
    /// Key and class of every storage that the pickle mentions.
    pub storages: HashMap<String, String>,
    /// The bytes after the pickle.
    pub rest: &'a [u8],
}

/// Reads one pickle from the beginning of `bytes`.
///
/// # Errors
/// If the pickle is truncated, or has operations that Python's `pickle` does not write for tensors.
pub fn read(bytes: &[u8]) -> Result<Pickle<'_>, String> {
    let mut machine = Machine {
        bytes,
        stack: Vec::new(),
        memo: HashMap::new(),
        lists: Vec::new(),
        dicts: Vec::new(),
        storages: HashMap::new(),
    };
    let value = machine
        .run()
        .ok_or("is a damaged pickle, or one of an unknown kind")?;
    Ok(Pickle {
        value,
        lists: machine.lists,
        dicts: machine.dicts,
        storages: machine.storages,
        rest: machine.bytes,
    })
}

/// torch does not create tensors with more axes.
const MOST_AXES: usize = 64;

struct Machine<'a> {
    bytes: &'a [u8],
    stack: Vec<Value>,
    /// Memorised values.
    memo: HashMap<usize, Value>,
    /// Lists and dictionaries are stored here, because all references to one must see later
    /// additions.
    lists: Vec<Vec<Value>>,
    dicts: Vec<Vec<(Value, Value)>>,
    storages: HashMap<String, String>,
}

/// `None` from any function means a damaged or unsupported pickle.
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
                b'X' | b'T' => self.string(4)?,
                0x8c | b'U' => self.string(1)?,
                0x8d => self.string(8)?,
                b'B' => self.skipped(4)?,
                b'C' => self.skipped(1)?,
                0x8e | 0x96 => self.skipped(8)?,
                b'}' => self.dict(Vec::new()),
                b']' | b')' => self.list(Vec::new()),
                0x8f => self.stack.push(Value::Other),
                b't' | b'l' => {
                    let items = self.since_mark()?;
                    self.list(items);
                }
                b'd' => {
                    let items = self.since_mark()?;
                    self.dict(pairs(items));
                }
                few @ 0x85..=0x87 => {
                    let from = self.stack.len().checked_sub(usize::from(few - 0x84))?;
                    let items = self.stack.split_off(from);
                    self.list(items);
                }
                b'a' => {
                    let item = self.stack.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.since_mark()?;
                    self.append(items)?;
                }
                // Items of a set.
                0x90 => drop(self.since_mark()?),
                0x91 => {
                    self.since_mark()?;
                    self.stack.push(Value::Other);
                }
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
                    self.stack.push(self.memo.get(&at)?.clone());
                }
                b'j' => {
                    let at = self.size(4)?;
                    self.stack.push(self.memo.get(&at)?.clone());
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(&module, &name);
                }
                0x93 => match (self.stack.pop()?, self.stack.pop()?) {
                    (Value::Str(name), Value::Str(module)) => self.global(&module, &name),
                    _ => return None,
                },
                // A value stored outside the pickle: PyTorch's storages.
                b'Q' => {
                    let id = self.stack.pop()?;
                    let storage = self.storage(&id)?;
                    self.stack.push(Value::Storage(Rc::new(storage)));
                }
                b'R' | 0x81 => {
                    let (arguments, function) = (self.stack.pop()?, self.stack.pop()?);
                    let made = self.call(&function, &arguments)?;
                    self.stack.push(made);
                }
                // An object with keyword arguments.
                0x92 => {
                    let (_, arguments, class) =
                        (self.stack.pop()?, self.stack.pop()?, self.stack.pop()?);
                    let made = self.call(&class, &arguments)?;
                    self.stack.push(made);
                }
                // Sets attributes of an object. A state dict needs none.
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
        // PyTorch's magic number is longer. Its value does not matter.
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
        let text = String::from_utf8_lossy(self.take(size)?);
        self.stack.push(Value::Str(text.into()));
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

    fn global(&mut self, module: &str, name: &str) {
        let global = format!("{module}.{name}");
        self.stack.push(Value::Global(global.into()));
    }

    fn list(&mut self, items: Vec<Value>) {
        self.stack.push(Value::List(self.lists.len()));
        self.lists.push(items);
    }

    fn dict(&mut self, items: Vec<(Value, Value)>) {
        self.stack.push(Value::Dict(self.dicts.len()));
        self.dicts.push(items);
    }

    fn note(&mut self, at: usize) -> Option<()> {
        let value = self.stack.last()?.clone();
        self.memo.insert(at, value);
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
        if let Value::List(list) = *self.stack.last()? {
            self.lists[list].extend(items);
        }
        Some(())
    }

    fn set(&mut self, items: Vec<Value>) -> Option<()> {
        if let Value::Dict(dict) = *self.stack.last()? {
            self.dicts[dict].extend(pairs(items));
        }
        Some(())
    }

    /// From `('storage', class, key, device, size)`.
    fn storage(&mut self, id: &Value) -> Option<Storage> {
        let Value::List(id) = *id else {
            return None;
        };
        let [_, Value::Global(class), Value::Str(key), ..] = self.lists[id].as_slice() else {
            return None;
        };
        let storage = Storage {
            class: class.rsplit('.').next()?.to_owned(),
            key: key.to_string(),
        };
        (self.storages).insert(storage.key.clone(), storage.class.clone());
        Some(storage)
    }

    /// The result of a function call.
    fn call(&mut self, function: &Value, arguments: &Value) -> Option<Value> {
        let Value::Global(name) = function else {
            return Some(Value::Other);
        };
        let Value::List(arguments) = *arguments else {
            return None;
        };
        let arguments = self.lists[arguments].as_slice();
        match (&**name, arguments) {
            ("collections.OrderedDict" | "collections.defaultdict" | "builtins.dict", _) => {
                self.dicts.push(Vec::new());
                Some(Value::Dict(self.dicts.len() - 1))
            }
            (
                "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor",
                [
                    Value::Storage(storage),
                    Value::Int(offset),
                    Value::List(shape),
                    Value::List(stride),
                    more @ ..,
                ],
            ) => {
                // After two arguments of autograd: whether numbers must be negated on reading.
                let altered = match more.get(2) {
                    Some(Value::Dict(flags)) => !self.dicts[*flags].is_empty(),
                    _ => false,
                };
                let kind = altered.then(|| "a negative or conjugate view".into());
                self.tensor(storage, kind, *offset, *shape, *stride)
            }
            (
                "torch._utils._rebuild_tensor_v3",
                [
                    Value::Storage(storage),
                    Value::Int(offset),
                    Value::List(shape),
                    Value::List(stride),
                    _,
                    _,
                    Value::Global(kind),
                    ..,
                ],
            ) => self.tensor(storage, Some(kind.clone()), *offset, *shape, *stride),
            (
                "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state",
                [tensor, ..],
            ) => Some(tensor.clone()),
            // A tensor of a custom class: the function that makes it, and its arguments.
            ("torch._tensor._rebuild_from_type_v2", [made @ Value::Global(inner), _, with, ..])
                if inner.starts_with("torch._utils.") =>
            {
                self.call(&made.clone(), &with.clone())
            }
            ("copyreg._reconstructor", [Value::Global(class), ..]) => {
                Some(Value::Object(class.clone()))
            }
            _ => Some(Value::Object(name.clone())),
        }
    }

    fn tensor(
        &self,
        storage: &Rc<Storage>,
        kind: Option<Rc<str>>,
        offset: i64,
        shape: usize,
        stride: usize,
    ) -> Option<Value> {
        let sizes = |list: usize| {
            let list = &self.lists[list];
            if list.len() > MOST_AXES {
                return None;
            }
            list.iter().map(size).collect::<Option<Vec<_>>>()
        };
        Some(Value::Tensor(Rc::new(TensorParts {
            storage: Rc::clone(storage),
            kind,
            offset: usize::try_from(offset).ok()?,
            shape: sizes(shape)?,
            stride: sizes(stride)?,
        })))
    }
}

/// Alternating keys and values.
fn pairs(items: Vec<Value>) -> Vec<(Value, Value)> {
    let mut items = items.into_iter();
    std::iter::from_fn(|| items.next().zip(items.next())).collect()
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Int(size) => usize::try_from(*size).ok(),
        _ => None,
    }
}
