//! What a call leaves behind: which bytes of the registers and of the stack that it used hold plaintext, round keys,
//! tweaks, or something else that depends on secrets.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use crate::{
    aes::{Block, Byte, inv_mix_columns},
    algebra::Bit,
    fault::{Fault, Kind, Outcome},
    machine::{Machine, Register},
    memory::STACK,
    standard,
};

/// A kind of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Bytes of plaintext.
    Plaintext,
    /// Bytes of round keys, of either key, in the form for decryption, too.
    RoundKeys,
    /// Bytes of encrypted tweaks, times any power of alpha that the call needs; and what else depends on keys and tweaks
    /// alone.
    Tweaks,
    /// What is none of these, nor ciphertext, nor known, nor what was there before, and depends on data: states between
    /// rounds, mostly.
    Other,
    /// What a function of another library may have left, such as memcpy().
    Foreign,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Plaintext => "plaintext",
            Class::RoundKeys => "round keys",
            Class::Tweaks => "encrypted tweaks, or of what is made of them",
            Class::Other => "states between rounds",
            Class::Foreign => "what other libraries leave",
        })
    }
}

/// The secrets of a call, byte by byte.
pub struct Secrets {
    plaintext: HashSet<Byte>,
    ciphertext: HashSet<Byte>,
    round_keys: HashSet<Byte>,
    tweaks: HashSet<Byte>,
}

fn bytes(bits: &[Bit]) -> impl Iterator<Item = Byte> {
    bits.as_chunks().0.iter().copied()
}

impl Secrets {
    /// Of data units of `size` bytes, with these tweaks.
    pub fn new(plain: &[Bit], cipher: &[Bit], keys: [&[Block]; 2], tweaks: &[Block], size: usize) -> Secrets {
        let mut all = Secrets {
            plaintext: bytes(plain).collect(),
            ciphertext: bytes(cipher).collect(),
            round_keys: HashSet::new(),
            tweaks: HashSet::new(),
        };
        for key in keys.into_iter().flatten() {
            all.round_keys.extend(bytes(key).chain(bytes(&inv_mix_columns(key))));
        }
        for tweak in tweaks {
            let mut t = standard::cipher(keys[1], tweak);
            for _ in 0..size / 16 + 2 {
                all.tweaks.extend(bytes(&t));
                t = standard::times_alpha(&t);
            }
        }
        all
    }

    fn class(&self, byte: &Byte) -> Option<Class> {
        if byte.iter().all(|bit| bit.known().is_some()) || self.ciphertext.contains(byte) {
            None
        } else if self.plaintext.contains(byte) {
            Some(Class::Plaintext)
        } else if self.round_keys.contains(byte) {
            Some(Class::RoundKeys)
        } else if self.tweaks.contains(byte) {
            Some(Class::Tweaks)
        } else {
            Some(Class::Other)
        }
    }
}

/// What was found, over all calls.
#[derive(Clone, Debug, Default)]
pub struct Residue {
    /// Whether anything that is left is a fault, but for tweaks; plaintext and round keys on the stack always are.
    pub strict: bool,
    /// How many calls were looked at.
    pub calls: u64,
    /// The most bytes of a class, in registers and on the stack, that a call left.
    pub most: BTreeMap<(Class, &'static str), usize>,
    /// What registers and the stack held after the same call with other data.
    other: Option<(Vec<Byte>, Vec<Byte>)>,
    /// The registers, and the addresses of the instructions that wrote to the stack.
    pub places: BTreeMap<Class, HashSet<String>>,
}

impl Residue {
    /// Nothing yet. `strict`: whether anything that is left is a fault, but for tweaks, and not only plaintext and round keys
    /// on the stack.
    pub fn new(strict: bool) -> Residue {
        Residue { strict, ..Residue::default() }
    }

    /// Keeps what a call left, to compare it with the same call's on other data.
    pub fn keep(&mut self, machine: &mut dyn Machine) {
        let registers = machine.registers().iter().flat_map(|register| bytes(&register.now)).collect();
        let stack = machine
            .memory()
            .region(STACK)
            .map_or(Vec::new(), |stack| bytes(&stack.contents.bits(0, stack.len())).collect());
        self.other = Some((registers, stack));
    }

    /// Looks at a machine after a call. What was [kept](Residue::keep) before does not depend on data, where it is the
    /// same.
    ///
    /// # Errors
    /// If something is left and that is a fault.
    pub fn look(&mut self, secrets: &Secrets, machine: &mut dyn Machine) -> Outcome<()> {
        self.calls += 1;
        let registers = machine.registers();
        let before: HashSet<Byte> = registers.iter().flat_map(|register| bytes(&register.before)).collect();
        let foreign: HashSet<Byte> = registers
            .iter()
            .filter_map(|register| register.foreign.as_ref())
            .flat_map(|bits| bytes(bits))
            .collect();
        let class = |byte: &Byte, other: Option<&Byte>| match secrets.class(byte) {
            Some(Class::Other) if before.contains(byte) => None,
            Some(Class::Other) if foreign.contains(byte) => Some(Class::Foreign),
            Some(Class::Other) if other == Some(byte) => Some(Class::Tweaks),
            class => class,
        };
        let (other_registers, other_stack) = self.other.take().unwrap_or_default();
        let mut found: BTreeMap<(Class, &'static str), usize> = BTreeMap::new();
        let mut at = 0;
        for Register { name, now, .. } in &registers {
            for byte in bytes(now) {
                at += 1;
                let Some(class) = class(&byte, other_registers.get(at - 1)) else { continue };
                *found.entry((class, "registers")).or_default() += 1;
                self.places.entry(class).or_default().insert(name.clone());
            }
        }
        if let Some(stack) = machine.memory().region(STACK) {
            for (at, (byte, writer)) in
                bytes(&stack.contents.bits(0, stack.len())).zip(&stack.writers).enumerate()
            {
                // What was not written is what was there before.
                let class = writer.checked_sub(1).and_then(|_| class(&byte, other_stack.get(at)));
                let Some(class) = class else { continue };
                *found.entry((class, "stack")).or_default() += 1;
                self.places.entry(class).or_default().insert(format!("{:#x}", writer - 1));
            }
        }
        for (key, count) in &found {
            let most = self.most.entry(*key).or_default();
            *most = (*count).max(*most);
        }
        // In registers the program's own code overwrites them next; on the stack they could stay for as long as it runs.
        let stays = |(class, place): &(Class, &str)| {
            *place == "stack" && matches!(class, Class::Plaintext | Class::RoundKeys)
        };
        found.retain(|key, _| stays(key) || self.strict && key.0 != Class::Tweaks);
        if !found.is_empty() {
            let list: Vec<String> = found
                .iter()
                .map(|((class, place), count)| format!("{count} bytes of {class} in the {place}"))
                .collect();
            return Err(Fault::new(Kind::Left, format!("leaves {}", list.join(", "))));
        }
        Ok(())
    }

    /// Adds what another one found.
    pub fn join(&mut self, other: &Residue) {
        self.calls += other.calls;
        for (key, count) in &other.most {
            let most = self.most.entry(*key).or_default();
            *most = (*count).max(*most);
        }
        for (class, places) in &other.places {
            self.places.entry(*class).or_default().extend(places.iter().cloned());
        }
    }
}
