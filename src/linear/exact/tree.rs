//! The spanning tree basis of the network simplex, and its pivot.
//!
//! Nodes `0..rows` are the sources, `rows..rows + columns` the sinks. Every arc runs from a row to
//! a column, so the tree alternates between the two kinds. The tree is *strongly feasible*: an arc
//! without flow always points towards the root. Choosing the leaving arc so that this stays true
//! makes it impossible for degenerate pivots to cycle (Cunningham 1976; Ahuja, Magnanti and Orlin,
//! *Network Flows*, section 11.6). Flows are integers, which keeps "without flow" an exact notion.

use super::double::Double;
use super::pricing::Entering;

/// No such node.
const NONE: u32 = u32::MAX;

/// One arc of a starting basis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    pub row: u32,
    pub column: u32,
    pub flow: i64,
}

/// A node, its place in the tree, and the arc that joins it to its parent.
///
/// The children of a node form a doubly linked list, so that cutting and grafting take constant
/// time and a subtree can be walked without a stack. Rows without children are in no list: there
/// can be very many of them, and nothing has to visit them.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    child: u32,
    next: u32,
    previous: u32,
    /// Number of nodes in the subtree below, this one included.
    size: u32,
    flow: i64,
    cost: f64,
}

/// A spanning tree, rooted in a column, with its flow and its node potentials.
#[derive(Debug)]
pub(super) struct Tree {
    rows: u32,
    root: u32,
    nodes: Vec<Node>,
    /// `-g_j` of the columns. The potential of a row follows from its parent. With this sign a
    /// change of basis shifts the potentials of a whole subtree by one constant.
    minus_g: Vec<f64>,
    /// What `minus_g` lacks. In single floats, rounding from the time when a potential was large
    /// would stay when it is small, and show as an improvement where there is none: with costs of
    /// very different size, pivots could go round in circles.
    minus_g_low: Vec<f64>,
}

impl Tree {
    /// Builds the tree from its `rows + columns - 1` arcs, `cost` giving the cost of an arc and
    /// `root` the column at the root.
    pub fn new(
        rows: usize,
        columns: usize,
        root: usize,
        arcs: &[Arc],
        cost: impl Fn(usize, usize) -> f64,
    ) -> Self {
        let count = rows + columns;
        let blank = Node {
            parent: NONE,
            child: NONE,
            next: NONE,
            previous: NONE,
            size: 1,
            flow: 0,
            cost: 0.0,
        };
        let mut tree = Self {
            rows: rows as u32,
            root: (rows + root) as u32,
            nodes: vec![blank; count],
            minus_g: vec![0.0; columns],
            minus_g_low: vec![0.0; columns],
        };

        // Adjacency in compressed form: the arcs at node v are list[start[v]..start[v + 1]].
        let mut start = vec![0usize; count + 1];
        let ends = |arc: &Arc| [arc.row as usize, rows + arc.column as usize];
        for node in arcs.iter().flat_map(ends) {
            start[node + 1] += 1;
        }
        for node in 0..count {
            start[node + 1] += start[node];
        }
        let mut fill = start.clone();
        let mut list = vec![0usize; 2 * arcs.len()];
        for (index, arc) in arcs.iter().enumerate() {
            for node in ends(arc) {
                list[fill[node]] = index;
                fill[node] += 1;
            }
        }

        let mut order = vec![tree.root];
        let mut done = 0;
        while let Some(&node) = order.get(done) {
            done += 1;
            for &index in &list[start[node as usize]..start[node as usize + 1]] {
                let arc = arcs[index];
                let (row, column) = (arc.row, tree.rows + arc.column);
                let other = if node == row { column } else { row };
                if other == tree.nodes[node as usize].parent {
                    continue;
                }
                tree.attach(other, node);
                let entry = &mut tree.nodes[other as usize];
                entry.flow = arc.flow;
                entry.cost = cost(arc.row as usize, arc.column as usize);
                order.push(other);
            }
        }
        debug_assert_eq!(order.len(), count, "the starting basis must span");
        for &node in order[1..].iter().rev() {
            let Node { parent, size, .. } = tree.nodes[node as usize];
            tree.nodes[parent as usize].size += size;
        }
        // The root has potential zero, and every arc of the tree has reduced cost zero.
        for &node in order[1..].iter().filter(|&&node| node as usize >= rows) {
            let Node { parent, cost, .. } = tree.nodes[node as usize];
            let potential = tree.precise_f(parent as usize) - cost.into();
            tree.set_minus_g(node, potential);
        }
        tree
    }

    /// The potential `f` of a row: its arc to its parent has reduced cost zero.
    #[inline]
    pub fn f(&self, row: usize) -> f64 {
        let Node { parent, cost, .. } = self.nodes[row];
        cost + self.minus_g[(parent - self.rows) as usize]
    }

    fn precise_f(&self, row: usize) -> Double {
        let Node { parent, cost, .. } = self.nodes[row];
        self.precise_minus_g(parent) + cost.into()
    }

    fn precise_minus_g(&self, node: u32) -> Double {
        let column = (node - self.rows) as usize;
        Double { high: self.minus_g[column], low: self.minus_g_low[column] }
    }

    fn set_minus_g(&mut self, node: u32, value: Double) {
        let column = (node - self.rows) as usize;
        self.minus_g[column] = value.high;
        self.minus_g_low[column] = value.low;
    }

    /// The reduced cost `cost - f - g` of an arc.
    pub fn reduced(&self, row: usize, column: usize, cost: f64) -> Double {
        let minus_g = self.precise_minus_g(self.rows + column as u32);
        minus_g + cost.into() - self.precise_f(row)
    }

    /// The potentials of the columns, with opposite sign.
    pub fn minus_g(&self) -> &[f64] {
        &self.minus_g
    }

    /// The arcs of the tree with their flow, in no particular order.
    pub fn arcs(&self) -> impl Iterator<Item = Arc> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.parent != NONE).map(
            |(index, node)| {
                let index = index as u32;
                let (row, column) =
                    if index < self.rows { (index, node.parent) } else { (node.parent, index) };
                Arc { row, column: column - self.rows, flow: node.flow }
            },
        )
    }

    /// Brings an arc into the basis: pushes as much flow as fits around the cycle that it closes,
    /// and removes an arc that blocks more.
    pub fn pivot(&mut self, entering: &Entering) {
        let row = entering.row as u32;
        let column = self.rows + entering.column as u32;

        // Walk from both ends to the apex of the cycle, the end with the smaller subtree first: it
        // cannot be above the other. Flow runs apex -> row -> column -> apex, so it decreases on
        // the arcs of the rows on the one side and on the arcs of the columns on the other.
        // Leaving is the *last* blocking arc of that tour, which is the first one on the row side
        // and the last one, with precedence, on the column side.
        let (mut up_row, mut up_column) = (row, column);
        let (mut row_least, mut row_leaving) = (i64::MAX, NONE);
        let (mut column_least, mut column_leaving) = (i64::MAX, NONE);
        while up_row != up_column {
            let (at_row, at_column) = (self.nodes[up_row as usize], self.nodes[up_column as usize]);
            if at_row.size < at_column.size {
                if up_row < self.rows && at_row.flow < row_least {
                    (row_least, row_leaving) = (at_row.flow, up_row);
                }
                up_row = at_row.parent;
            } else {
                if up_column >= self.rows && at_column.flow <= column_least {
                    (column_least, column_leaving) = (at_column.flow, up_column);
                }
                up_column = at_column.parent;
            }
        }
        let apex = up_row;
        let from_column_side = column_least <= row_least;
        let (delta, leaving, inner, outer) = if from_column_side {
            (column_least, column_leaving, column, row)
        } else {
            (row_least, row_leaving, row, column)
        };

        if delta != 0 {
            self.push(row, apex, -delta);
            self.push(column, apex, delta);
        }
        self.regraft(inner, outer, leaving, apex, (delta, entering.cost));
        // The row end of the arc rises by its reduced cost, or the column end falls by it.
        self.shift(inner, if from_column_side { -entering.reduced } else { entering.reduced });
    }

    /// Adds `delta` to the flow on the arcs of the rows between `node` and `apex`, and subtracts
    /// it on the arcs of the columns.
    fn push(&mut self, mut node: u32, apex: u32, delta: i64) {
        while node != apex {
            let signed = if node < self.rows { delta } else { -delta };
            let entry = &mut self.nodes[node as usize];
            entry.flow += signed;
            node = entry.parent;
        }
    }

    /// Cuts the subtree of `leaving` off, turns it so that `inner` becomes its root, and hangs it
    /// below `outer` by an arc with the given flow and cost.
    fn regraft(&mut self, inner: u32, outer: u32, leaving: u32, apex: u32, arc: (i64, f64)) {
        let moved = self.nodes[leaving as usize].size;
        let mut node = self.nodes[leaving as usize].parent;
        while node != apex {
            let entry = &mut self.nodes[node as usize];
            entry.size -= moved;
            node = entry.parent;
        }
        node = outer;
        while node != apex {
            let entry = &mut self.nodes[node as usize];
            entry.size += moved;
            node = entry.parent;
        }

        // Reverse the path inner .. leaving: each node on it passes its arc on to its old parent.
        let ((mut flow, mut cost), mut above, mut below) = (arc, outer, 0);
        node = inner;
        loop {
            let old = self.nodes[node as usize];
            self.detach(node);
            self.attach(node, above);
            let entry = &mut self.nodes[node as usize];
            entry.size = moved - below;
            (entry.flow, entry.cost) = (flow, cost);
            if node == leaving {
                break;
            }
            (flow, cost, above, below) = (old.flow, old.cost, node, old.size);
            node = old.parent;
        }
    }

    /// Adds `delta` to the potentials of the subtree of `top`, or subtracts it from all others when
    /// those are fewer: only the difference between the two parts matters.
    fn shift(&mut self, top: u32, delta: Double) {
        if 2 * self.nodes[top as usize].size as usize <= self.nodes.len() {
            let mut walk = Some(top);
            while let Some(node) = walk {
                self.raise(node, delta);
                walk = self.following(node, top);
            }
        } else {
            let mut walk = Some(self.root);
            while let Some(node) = walk {
                walk = if node == top {
                    self.after(top, self.root)
                } else {
                    self.raise(node, -delta);
                    self.following(node, self.root)
                };
            }
        }
    }

    #[inline(always)]
    fn raise(&mut self, node: u32, delta: Double) {
        if node >= self.rows {
            self.set_minus_g(node, self.precise_minus_g(node) + delta);
        }
    }

    /// The node after the subtree of `node` in that walk.
    #[inline(always)]
    fn after(&self, mut node: u32, top: u32) -> Option<u32> {
        while node != top {
            let Node { next, parent, .. } = self.nodes[node as usize];
            if next != NONE {
                return Some(next);
            }
            node = parent;
        }
        None
    }

    /// The node after `node` in a depth-first walk of the subtree of `top`, leaving out rows without
    /// children.
    #[inline(always)]
    fn following(&self, node: u32, top: u32) -> Option<u32> {
        let child = self.nodes[node as usize].child;
        if child != NONE { Some(child) } else { self.after(node, top) }
    }

    /// Whether the node is in the list of its parent's children.
    fn is_listed(&self, node: u32) -> bool {
        node >= self.rows || self.nodes[node as usize].child != NONE
    }

    fn attach(&mut self, node: u32, parent: u32) {
        self.nodes[node as usize].parent = parent;
        if self.is_listed(node) {
            self.list(node);
        }
    }

    fn detach(&mut self, node: u32) {
        if self.is_listed(node) {
            self.unlist(node);
        }
    }

    fn list(&mut self, node: u32) {
        let parent = self.nodes[node as usize].parent;
        if !self.is_listed(parent) {
            // A row gets its first child.
            self.list(parent);
        }
        let first = self.nodes[parent as usize].child;
        if first != NONE {
            self.nodes[first as usize].previous = node;
        }
        self.nodes[parent as usize].child = node;
        let entry = &mut self.nodes[node as usize];
        (entry.previous, entry.next) = (NONE, first);
    }

    fn unlist(&mut self, node: u32) {
        let Node { parent, previous, next, .. } = self.nodes[node as usize];
        if previous == NONE {
            self.nodes[parent as usize].child = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        if !self.is_listed(parent) {
            // A row has lost its last child.
            self.unlist(parent);
        }
    }
}
