//! Pure. The size of a terminal: height and width come apart and are one change.

/// Size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Lines.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

/// What a client wants the size to be, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    wanted: Window,
    current: Window,
}

impl Sizes {
    /// A terminal of this size.
    pub fn new(window: Window) -> Self {
        Self { wanted: window, current: window }
    }

    /// So high, from the next `change` on; 0 is no height.
    pub fn rows(&mut self, rows: u16) {
        self.wanted.rows = if rows == 0 { self.wanted.rows } else { rows };
    }

    /// So wide, from the next `change` on; 0 is no width.
    pub fn columns(&mut self, columns: u16) {
        self.wanted.columns = if columns == 0 { self.wanted.columns } else { columns };
    }

    /// The new size, if it is one. To be asked for when all that has come is read, so that many changes are one.
    pub fn change(&mut self) -> Option<Window> {
        let new = self.wanted != self.current;
        self.current = self.wanted;
        new.then_some(self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn height_and_width_are_one_change_and_the_last_ones_count() {
        let mut sizes = Sizes::new(Window { rows: 24, columns: 80 });
        assert_eq!(sizes.change(), None);
        for rows in 1..=50 {
            sizes.rows(rows);
            sizes.columns(132);
        }
        assert_eq!(sizes.change(), Some(Window { rows: 50, columns: 132 }));
        assert_eq!(sizes.change(), None);
    }

    /// Row T4.
    #[test]
    fn nothing_is_no_size_and_the_largest_is_one() {
        let mut sizes = Sizes::new(Window { rows: 24, columns: 80 });
        sizes.rows(0);
        sizes.columns(0);
        assert_eq!(sizes.change(), None);
        sizes.rows(u16::MAX);
        assert_eq!(sizes.change(), Some(Window { rows: u16::MAX, columns: 80 }));
    }
}
