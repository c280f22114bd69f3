//! A directory while what is in it is being stored: the last thing that is done makes it a tree, and tells its parent.

use std::sync::{Arc, Mutex, PoisonError, mpsc::SyncSender};

use super::node::{Node, Tree};
use crate::{
    codec::Encoder,
    error::VaultError,
    id::Id,
    pack::{Kind, Pack},
    packer::Packer,
};

/// A directory whose entries are known by number, and by node once they are stored.
pub(super) struct Directory {
    /// The directory itself, and the place that it has in the one above; the top one has none.
    node: Node,
    parent: Option<(Arc<Directory>, usize)>,
    state: Mutex<State>,
}

struct State {
    nodes: Vec<Option<Node>>,
    left: usize,
    /// The top directory's tree, when it is done.
    tree: Option<Id>,
}

/// What is needed to store a tree.
pub(super) struct Storing<'a> {
    pub(super) packer: &'a Packer<'a>,
    pub(super) full: &'a SyncSender<Pack>,
}

impl Directory {
    /// A directory of `count` entries, in the order of their names.
    pub(super) fn new(node: Node, parent: Option<(Arc<Self>, usize)>, count: usize) -> Arc<Self> {
        Arc::new(Self {
            node,
            parent,
            state: Mutex::new(State {
                nodes: vec![None; count],
                left: count,
                tree: None,
            }),
        })
    }

    /// Entry `number` is stored as `node`, or left out.
    pub(super) fn set(
        self: &Arc<Self>,
        number: usize,
        node: Option<Node>,
        storing: &Storing<'_>,
        encoder: &mut Encoder,
    ) -> Result<(), VaultError> {
        let (mut at, mut number, mut node) = (Arc::clone(self), number, node);
        loop {
            let done = at.put(number, node);
            let Some(nodes) = done else { return Ok(()) };
            let tree = Tree { nodes }.to_bytes()?;
            let id = Id::of(&tree);
            storing
                .packer
                .add(Kind::Tree, id, &tree, encoder, storing.full)?;
            let Some((parent, place)) = &at.parent else {
                at.lock().tree = Some(id);
                return Ok(());
            };
            node = Some(at.node.with_tree(id));
            number = *place;
            at = Arc::clone(parent);
        }
    }

    /// A directory with nothing in it is done as soon as it is known.
    pub(super) fn close_if_empty(
        self: &Arc<Self>,
        storing: &Storing<'_>,
        encoder: &mut Encoder,
    ) -> Result<(), VaultError> {
        if !self.lock().nodes.is_empty() {
            return Ok(());
        }
        let tree = Tree::default().to_bytes()?;
        let id = Id::of(&tree);
        storing
            .packer
            .add(Kind::Tree, id, &tree, encoder, storing.full)?;
        match &self.parent {
            None => {
                self.lock().tree = Some(id);
                Ok(())
            }
            Some((parent, place)) => {
                let node = self.node.with_tree(id);
                parent.set(*place, Some(node), storing, encoder)
            }
        }
    }

    /// The tree, once everything below is stored; of the top directory alone.
    pub(super) fn tree(&self) -> Option<Id> {
        self.lock().tree
    }

    /// Whether that was the last one, and then all of them.
    fn put(&self, number: usize, node: Option<Node>) -> Option<Vec<Node>> {
        let mut state = self.lock();
        if let Some(place) = state.nodes.get_mut(number) {
            *place = node;
        }
        state.left = state.left.saturating_sub(1);
        (state.left == 0).then(|| {
            std::mem::take(&mut state.nodes)
                .into_iter()
                .flatten()
                .collect()
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
