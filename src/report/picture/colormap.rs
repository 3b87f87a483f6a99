//! Colours from no mass to most.

/// The colours that mass is drawn in, from none to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Colormap {
    /// Black to white.
    Grey,
    /// White to black.
    Paper,
    /// White paper to dark blue ink.
    Ink,
    /// Black over purple and orange to pale yellow, perceptually uniform.
    #[default]
    Magma,
    /// Purple over green to yellow, perceptually uniform.
    Viridis,
}

impl Colormap {
    /// The 256 colours, red, green and blue, from no mass to most.
    ///
    /// # Examples
    ///
    /// ```
    /// use gaspard::report::picture::Colormap;
    ///
    /// assert_eq!(Colormap::Grey.palette()[51], [51, 51, 51]);
    /// assert_eq!(Colormap::Ink.palette()[0], [255, 255, 255]);
    /// ```
    pub fn palette(self) -> [[u8; 3]; 256] {
        let anchors = self.anchors();
        std::array::from_fn(|level| {
            let position = level as f64 / 255.0 * (anchors.len() - 1) as f64;
            let left = (position as usize).min(anchors.len() - 2);
            let weight = position - left as f64;
            std::array::from_fn(|channel| {
                let [from, to] = [left, left + 1].map(|anchor| f64::from(anchors[anchor][channel]));
                (from + weight * (to - from)).round() as u8
            })
        })
    }

    /// Colours at even distances; of Magma and Viridis, every sixteenth of matplotlib's tables.
    fn anchors(self) -> &'static [[u8; 3]] {
        match self {
            Self::Grey => &[[0, 0, 0], [255, 255, 255]],
            Self::Paper => &[[255, 255, 255], [0, 0, 0]],
            Self::Ink => {
                &[[255, 255, 255], [196, 206, 224], [118, 136, 170], [52, 66, 104], [12, 16, 36]]
            }
            Self::Magma => &[
                [0, 0, 4],
                [10, 8, 34],
                [29, 17, 71],
                [54, 16, 107],
                [81, 18, 124],
                [106, 28, 129],
                [131, 38, 129],
                [156, 46, 127],
                [183, 55, 121],
                [207, 64, 112],
                [229, 80, 100],
                [244, 105, 92],
                [251, 135, 97],
                [254, 165, 113],
                [254, 194, 135],
                [253, 224, 161],
                [252, 253, 191],
            ],
            Self::Viridis => &[
                [68, 1, 84],
                [72, 24, 106],
                [71, 45, 123],
                [66, 64, 134],
                [59, 82, 139],
                [51, 99, 141],
                [44, 114, 142],
                [38, 130, 142],
                [33, 145, 140],
                [31, 159, 136],
                [39, 173, 129],
                [61, 188, 116],
                [92, 200, 99],
                [129, 211, 77],
                [170, 220, 50],
                [213, 226, 26],
                [253, 231, 37],
            ],
        }
    }
}
