//! What each device does next, by time: a ring of ticks, long enough for the longest wait.

/// Devices by the tick of their next attempt.
#[derive(Debug)]
pub(super) struct Wheel {
    ticks: Vec<Vec<u32>>,
    now: usize,
}

impl Wheel {
    /// A ring for waits of up to `longest` ticks.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            ticks: vec![Vec::new(); longest + 2],
            now: 0,
        }
    }

    /// The device tries after so many ticks; a wait that the ring is too short for is cut.
    pub(super) fn after(&mut self, ticks: usize, device: u32) {
        let length = self.ticks.len();
        let at = (self.now + ticks.min(length - 1)) % length;
        self.ticks[at].push(device);
    }

    /// The devices that try now.
    pub(super) fn due(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.ticks[self.now])
    }

    /// One tick on.
    pub(super) fn step(&mut self) {
        self.now = (self.now + 1) % self.ticks.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_due_after_their_ticks_around_the_ring() {
        let mut wheel = Wheel::new(3);
        wheel.after(0, 1);
        wheel.after(3, 2);
        assert_eq!(wheel.due(), [1]);
        for _ in 0..3 {
            wheel.step();
        }
        assert_eq!(wheel.due(), [2]);
        wheel.after(2, 3);
        wheel.step();
        assert!(wheel.due().is_empty());
        wheel.step();
        assert_eq!(wheel.due(), [3]);
    }
}
