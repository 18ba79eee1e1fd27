//! Values under small numbers that are used again: a few bytes each, whoever comes and goes.

/// A list with holes.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// Puts a value into a hole, or at the end.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        let Some(key) = self.free.pop() else {
            self.slots.push(Some(value));
            return (self.slots.len() - 1) as u32;
        };
        self.slots[key as usize] = Some(value);
        key
    }

    pub(super) fn get(&self, key: u32) -> Option<&T> {
        self.slots.get(key as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        self.slots.get_mut(key as usize)?.as_mut()
    }

    /// Takes a value out. When it was the last one, the memory goes with it.
    pub(super) fn remove(&mut self, key: u32) -> Option<T> {
        let value = self.slots.get_mut(key as usize)?.take()?;
        self.free.push(key);
        if self.is_empty() {
            *self = Self::default();
        }
        Some(value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten()
    }

    /// The values whose number is `class` modulo `classes`.
    pub(super) fn class_mut(&mut self, class: u32, classes: u32) -> impl Iterator<Item = &mut T> {
        let ours = self.slots.iter_mut().skip(class as usize);
        ours.step_by(classes as usize).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_filled_before_the_list_grows() {
        let mut slots = Slots::default();
        let keys = ["a", "b", "c"].map(|value| slots.insert(value));
        assert_eq!(slots.remove(keys[1]), Some("b"));
        assert_eq!(slots.remove(keys[1]), None);
        assert_eq!(slots.insert("d"), keys[1]);
        assert_eq!(
            [0, 1, 2, 3].map(|key| slots.get(key).copied()),
            [Some("a"), Some("d"), Some("c"), None]
        );
    }

    #[test]
    fn classes_are_disjoint_and_leave_nobody_out() {
        let mut slots = Slots::default();
        for value in 0..10 {
            slots.insert(value);
        }
        slots.remove(5);
        let mut seen: Vec<i32> = (0..4)
            .flat_map(|class| {
                slots
                    .class_mut(class, 4)
                    .map(|value| *value)
                    .collect::<Vec<_>>()
            })
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4, 6, 7, 8, 9]);
    }

    #[test]
    fn an_empty_list_holds_no_memory() {
        let mut slots = Slots::default();
        let keys: Vec<u32> = (0..100).map(|value| slots.insert(value)).collect();
        for key in keys {
            assert!(slots.remove(key).is_some());
        }
        assert!(slots.is_empty() && slots.slots.capacity() == 0);
    }
}
