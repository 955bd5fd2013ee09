//! About how many different values a sliding window holds: how many panes have each hash, and once there are too many of
//! those, how many have each run of zeros in each register. The longest run of a register is then the highest bit of a word.

use super::approx_distinct::{ApproxDistinct, FEW, REGISTERS, estimate, place_of};
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
    /// For each register which runs there are, a bit for each.
    present: [u64; REGISTERS],
    /// How often each run stands in each register.
    counts: HashMap<(u16, u8), u32, FxBuildHasher>,
}

impl Registers {
    fn push(&mut self, (register, run): (usize, u8), times: u32) {
        let count = self.counts.entry((register as u16, run)).or_insert(0);
        *count = count.saturating_add(times);
        if let Some(present) = self.present.get_mut(register) {
            *present |= 1 << (run & 63);
        }
    }

    fn pop(&mut self, (register, run): (usize, u8)) {
        let Some(count) = self.counts.get_mut(&(register as u16, run)) else { return };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&(register as u16, run));
            if let Some(present) = self.present.get_mut(register) {
                *present &= !(1 << (run & 63));
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
            Some(registers) if !few => {
                let mut longest = [0; REGISTERS];
                for (own, present) in longest.iter_mut().zip(&registers.present) {
                    *own = present.checked_ilog2().unwrap_or(0) as u8;
                }
                estimate(&longest).round() as i64
            }
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
        let mut made = Box::new(Registers { present: [0; REGISTERS], counts: HashMap::default() });
        hashes.iter().for_each(|(hash, times)| made.push(place_of(*hash), *times));
        made
    })
}
