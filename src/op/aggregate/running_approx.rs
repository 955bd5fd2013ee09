//! About how many different values a sliding window holds: how many panes have each hash, and once there are too many of
//! those, how many have each run of zeros in each register. The longest run of a register is then the highest bit of a word,
//! and the estimate needs no more than how many registers have which.

use super::approx_distinct::{ApproxDistinct, FEW, LONGEST, REGISTERS, Runs, estimate_of, place_of};
use crate::model::Value;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use std::collections::BTreeMap;

/// A sketch of a set that can be taken back.
#[derive(Clone, Debug, Default)]
pub(super) struct RunningApprox {
    /// The hashes of panes that kept them as they are, and how many panes have each.
    hashes: BTreeMap<u64, u32>,
    /// How many panes have registers only.
    many: usize,
    /// There where the hashes are too many, or not all known.
    registers: Option<Box<Registers>>,
}

#[derive(Clone, Debug)]
struct Registers {
    /// For each register which runs there are, a bit for each; no run is the lowest, which is always there.
    present: [u64; REGISTERS],
    /// How often each run stands in each register.
    counts: HashMap<(u16, u8), u32, FxBuildHasher>,
    /// How many registers have each run as their longest.
    longest: Runs,
}

impl Registers {
    fn new() -> Self {
        let mut longest = [0; LONGEST + 1];
        longest[0] = REGISTERS as u32;
        Self { present: [1; REGISTERS], counts: HashMap::default(), longest }
    }

    fn push(&mut self, (register, run): (usize, u8), times: u32) {
        let count = self.counts.entry((register as u16, run)).or_insert(0);
        *count = count.saturating_add(times);
        self.set(register, |present| present | 1 << (run & 63));
    }

    fn pop(&mut self, (register, run): (usize, u8)) {
        let Some(count) = self.counts.get_mut(&(register as u16, run)) else { return };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&(register as u16, run));
            self.set(register, |present| present & !(1 << (run & 63)));
        }
    }

    fn set(&mut self, register: usize, change: impl FnOnce(u64) -> u64) {
        let Some(present) = self.present.get_mut(register) else { return };
        let before = present.checked_ilog2().unwrap_or(0);
        *present = change(*present) | 1;
        let after = present.checked_ilog2().unwrap_or(0);
        if before != after {
            if let Some(count) = self.longest.get_mut(before as usize) {
                *count = count.saturating_sub(1);
            }
            if let Some(count) = self.longest.get_mut(after as usize) {
                *count += 1;
            }
        }
    }
}

impl RunningApprox {
    pub(super) fn push(&mut self, pane: &ApproxDistinct) {
        match pane {
            ApproxDistinct::Few(hashes) => {
                for &hash in hashes {
                    *self.hashes.entry(hash).or_insert(0) += 1;
                    if let Some(registers) = &mut self.registers {
                        registers.push(place_of(hash), 1);
                    }
                }
            }
            ApproxDistinct::Many(pane) => {
                self.many += 1;
                let registers = registers(&mut self.registers, &self.hashes);
                for (register, &run) in pane.iter().enumerate().filter(|(_, run)| **run > 0) {
                    registers.push((register, run), 1);
                }
            }
        }
        if self.hashes.len() > FEW {
            registers(&mut self.registers, &self.hashes);
        }
    }

    pub(super) fn pop(&mut self, pane: &ApproxDistinct) {
        match pane {
            ApproxDistinct::Few(hashes) => {
                for hash in hashes {
                    if let Some(registers) = &mut self.registers {
                        registers.pop(place_of(*hash));
                    }
                    if let Some(count) = self.hashes.get_mut(hash) {
                        *count -= 1;
                        if *count == 0 {
                            self.hashes.remove(hash);
                        }
                    }
                }
            }
            ApproxDistinct::Many(pane) => {
                self.many = self.many.saturating_sub(1);
                if let Some(registers) = &mut self.registers {
                    let runs = pane.iter().enumerate().filter(|(_, run)| **run > 0);
                    runs.for_each(|(register, &run)| registers.pop((register, run)));
                }
            }
        }
        // Not at the first that is few enough: a window that goes to and fro would make the registers again and again.
        if self.many == 0 && self.hashes.len() < FEW / 2 {
            self.registers = None;
        }
    }

    pub(super) fn result(&self) -> Value {
        let few = self.many == 0 && self.hashes.len() <= FEW;
        Value::Int(match &self.registers {
            Some(registers) if !few => estimate_of(&registers.longest).round() as i64,
            _ => self.hashes.len() as i64,
        })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let registers = self.registers.as_ref().map_or(0, |registers| {
            size_of::<Registers>() + registers.counts.capacity() * (size_of::<((u16, u8), u32)>() + 1)
        });
        registers + self.hashes.len() * (size_of::<(u64, u32)>() + size_of::<usize>())
    }
}

/// The registers, made of the hashes where there are none yet.
fn registers<'r>(registers: &'r mut Option<Box<Registers>>, hashes: &BTreeMap<u64, u32>) -> &'r mut Registers {
    registers.get_or_insert_with(|| {
        let mut made = Box::new(Registers::new());
        hashes.iter().for_each(|(hash, times)| made.push(place_of(*hash), *times));
        made
    })
}
