"""The moments of the pipeline: one row each, in the order in which the kernel's code meets them.

A moment is a point just before which another CPU could look or act. The pipeline's functions yield it; a step is
what happens from one moment to the next. ``document`` is the item of Documentation/vm/page_migration (2.6.18) that the
moment carries out: A.1 to A.3 for the use inside the kernel, 1 to 20 for "How migrate_pages() works" (17 and 18 do
not exist there). The code does not go in the document's order: 5 comes before 3 and 4, and A.2 before 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Moment:
    """A documented point of the pipeline.

    ``others``: may other tasks act before it? ``lock``: the task sleeps here until this lock is free for it
    ("page", "writeback", "mmap_sem", "rmap"); an empty string where nobody sleeps.
    """

    name: str
    function: str = field(compare=False)  #: the kernel's function that stands here
    document: str = field(compare=False)  #: the item of the document, "" where it has none
    what: str = field(compare=False)  #: what the kernel does next, one clause
    why: str = field(compare=False)  #: why the moment is there: the race that it prevents, or opens
    others: bool = field(default=True, compare=False)
    subject: str = field(default="page", compare=False)  #: what the moment's number is: see SUBJECTS
    lock: str = field(default="", compare=False)
    number: int = field(default=0, compare=False)
    served_by: str = field(
        default="", compare=False
    )  #: the function of other calls or kernels that alone comes here, "" for move_pages()

    def __repr__(self) -> str:
        return self.name


#: What the number that comes with a moment may be: a page (pfn), the page number of an address, a pass, an entry of the call,
#: an mm; "": nothing that is worth telling.
SUBJECTS = ("page", "address", "pass", "entry", "mm", "")

MOMENTS: list[Moment] = []  #: every moment, by number


def _row(
    name: str,
    function: str,
    document: str,
    what: str,
    why: str,
    *,
    others: bool = True,
    lock: str = "",
    subject: str = "page",
    served_by: str = "",
) -> Moment:
    moment = Moment(name, function, document, what, why, others, subject, lock, len(MOMENTS), served_by)
    MOMENTS.append(moment)
    return moment


def moment_named(name: str | Moment) -> Moment:
    """The moment of that name. Raises ValueError, naming those that exist."""
    for moment in MOMENTS:
        if name in (moment, moment.name):
            return moment
    names = [moment.name for moment in MOMENTS]
    close = get_close_matches(str(name).upper(), names, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names)}"
    raise ValueError(f"moment={name!r}: no such moment; {hint}")


# fmt: off
# -- a task, and mmap_sem
START = _row("START", "-", "", "begin", "a task begins; nothing is held yet", subject="")
MMAP_READ = _row("MMAP_READ", "down_read", "", "take mmap_sem for read",
                 "while it is held nobody can add, cut or remove a VMA", lock="mmap_sem", subject="mm")
MMAP_WRITE = _row("MMAP_WRITE", "down_write", "", "take mmap_sem for write",
                  "whoever changes the list of VMAs has to be alone; who comes after a waiting writer waits too", lock="mmap_sem", subject="mm")

# -- A.1: find the pages and take them off the LRU
DRAIN = _row("DRAIN", "lru_add_drain_all", "A.1", "empty the pagevecs of all CPUs onto the LRU lists",
             "a page that still waits in a pagevec is on no LRU list and could not be isolated", subject="")
NEXT_BATCH = _row("NEXT_BATCH", "move_pages_and_store_status", "", "move the pages that are isolated so far",
                  "they all go to one node; the next entry asks for another, or has its answer already", subject="entry",
                  served_by="kernel_move_pages")
NEXT_PAIR = _row("NEXT_PAIR", "do_migrate_pages", "", "empty the next of the old nodes into its new one",
                 "the order is chosen so that a page which has just come to a node is not moved on with those that were there",
                 subject="", served_by="do_migrate_pages")
FOLLOW_PAGE = _row("FOLLOW_PAGE", "follow_page", "A.1", "look up the page behind the address and take a reference",
                   "until a reference is held the page may be unmapped and freed by another CPU", subject="address")
ISOLATE = _row("ISOLATE", "isolate_lru_page", "A.1", "take the page off its LRU list, with a reference",
               "reclaim or another migration may have taken it off the list first")

# -- the passes, A.2 and A.3
PASS = _row("PASS", "migrate_pages", "A.3", "begin a pass over the pages that are left",
            "a page that was busy is tried again, ten times in all; from the fourth pass on the kernel sleeps for it", subject="pass")
GET_NEW_PAGE = _row("GET_NEW_PAGE", "get_new_page", "A.2", "ask the new_page_t for a new page",
                    "the target node may have filled up since the last pass")
FREED = _row("FREED", "unmap_and_move", "", "look whether anybody but us still uses the page",
             "its last user may have let go; then there is nothing to move")
LOCK_PAGE = _row("LOCK_PAGE", "lock_page", "1", "lock the old page", "I/O, truncation and other migrations lock it too")
SLEEP_ON_PAGE = _row("SLEEP_ON_PAGE", "lock_page", "1", "sleep until the page is unlocked",
                     "who may sleep waits for the owner; a migration only does so from its fourth pass on", lock="page")
WRITEBACK = _row("WRITEBACK", "wait_on_page_writeback", "2", "see that the page is not being written to disc",
                 "the disc reads the old frame; it must not be given away under it")
SLEEP_ON_WRITEBACK = _row("SLEEP_ON_WRITEBACK", "wait_on_page_writeback", "2", "sleep until the write is done",
                          "the disc still reads the frame; a migration only waits for that from its fourth pass on", lock="writeback")
TRY_TO_UNMAP = _row("TRY_TO_UNMAP", "try_to_unmap", "5", "unmap the page from its next PTE; a migration leaves an entry there",
                    "from here on an access through this PTE faults; through the others it still reaches the page")
RMAP_LOCK = _row("RMAP_LOCK", "page_lock_anon_vma", "", "sleep until the reverse map is free",
                 "a fork or munmap that changed the list of VMAs during the walk would make it miss a PTE", lock="rmap", subject="")
LOCK_NEW_PAGE = _row("LOCK_NEW_PAGE", "move_to_new_page", "3", "lock the new page",
                     "whoever finds it through the mapping before it is filled has to wait")
SET_MAPPING = _row("SET_MAPPING", "move_to_new_page", "4", "give the new page the old one's mapping and index",
                   "the mapping's slot and the reverse map lead to pages by these two")
WRITEOUT = _row("WRITEOUT", "writeout", "", "see whether the page, which is dirty and cannot be moved so, can be written",
                "its PTEs come back before, so it may be dirtied again meanwhile")
WRITEPAGE = _row("WRITEPAGE", "writepage", "", "hand the page to the disc",
                 "the file system unlocks it: others may use it, lock it and dirty it while it is written")
RELEASE_BUFFERS = _row("RELEASE_BUFFERS", "try_to_release_page", "", "take the buffers off the page",
                       "a journal may hold them; then the page has to wait")
TREE_LOCK = _row("TREE_LOCK", "migrate_page_move_mapping", "6", "take the lock of the mapping's tree",
                 "look-ups in the page cache now spin")
COUNT_AND_SLOT = _row("COUNT_AND_SLOT", "migrate_page_move_mapping", "7, 8",
                      "compare the reference count, and see that the slot still holds the page",
                      "somebody else who holds a reference could go on using the old frame", others=False)
COUNT = _row("COUNT", "migrate_page_move_mapping", "7", "compare the reference count: it has to be 1, our own",
             "somebody else who holds a reference, a device perhaps, could go on using the old frame")
SWITCH = _row("SWITCH", "migrate_page_move_mapping", "9, 10, 11", "point the mapping's slot at the new page, and drop the tree lock",
              "count and slot were tested under the tree lock; from here on look-ups find the new page, locked", others=False)
LOCK_BUFFERS = _row("LOCK_BUFFERS", "lock_buffer", "", "sleep until the buffers are unlocked",
                    "I/O through a buffer must not meet it while it changes pages", lock="buffer lock")
MOVE_BUFFERS = _row("MOVE_BUFFERS", "buffer_migrate_page", "", "carry the buffers over, with their reference",
                    "from here on they belong to the new page")
COPY = _row("COPY", "migrate_page_copy", "12", "copy the contents",
            "nobody can write to the old page now: no PTE leads to it, and who faults waits")
COPY_FLAGS = _row("COPY_FLAGS", "migrate_page_copy", "13, 14, 15", "copy the flags, clear them on the old page, end writeback on the new",
                  "dirty must not be lost, or the page would never be written", others=False)
REMOVE_ENTRY = _row("REMOVE_ENTRY", "remove_migration_ptes", "16", "turn the next migration entry back into a PTE",
                    "until then whoever touches the page through it sleeps")
UNLOCK_NEW_PAGE = _row("UNLOCK_NEW_PAGE", "move_to_new_page", "19", "unlock the new page", "who waits for it may go on")
UNLOCK_PAGE = _row("UNLOCK_PAGE", "unmap_and_move", "19", "unlock the old page",
                   "who slept on a migration entry wakes, and takes the fault again")
PUT_BACK = _row("PUT_BACK", "move_to_lru", "20", "give the old page back to the LRU, unless it is to be tried again",
                "the old frame, if nobody refers to it any more, is freed when its pagevec is drained")
PUT_BACK_NEW = _row("PUT_BACK_NEW", "move_to_lru", "20", "move the new page to the LRU",
                    "reclaim can find it again; after a failed attempt this is how the unused frame is freed")
PUT_USER = _row("PUT_USER", "put_user", "", "copy a status to the caller's memory", "the caller's array may have been unmapped by now", subject="entry")

# -- what other CPUs do
FAULT = _row("FAULT", "handle_mm_fault", "", "look at the PTE", "it may have changed since the fault was taken", subject="address")
ENTRY_WAIT = _row("ENTRY_WAIT", "migration_entry_wait", "5", "sleep until the page is unlocked, then fault again",
                  "a write that went through now would reach the old frame while it is copied, and be lost", lock="page")
READ_WAIT = _row("READ_WAIT", "filemap_nopage", "3", "sleep until the file's page is unlocked and up to date",
                 "a new page is locked and not up to date until it has been copied", lock="page")
SWAP_IN = _row("SWAP_IN", "do_swap_page", "", "lock the page that comes from swap",
               "a page in the swap cache may be on its way to another frame; its lock is waited for")
COPY_ON_WRITE = _row("COPY_ON_WRITE", "do_wp_page", "", "copy the page for the one who writes",
                     "allocating may sleep, so the PTE is compared again afterwards")
COPY_PTE = _row("COPY_PTE", "copy_one_pte", "", "copy the next PTE to the child", "fork copies migration entries as they are", subject="address")
ZAP_PTE = _row("ZAP_PTE", "zap_pte_range", "", "drop the next PTE", "munmap, exit and truncation let go of the pages one by one", subject="address")
CHANGE_PTE = _row("CHANGE_PTE", "change_pte_range", "", "change the protection of the next PTE",
                  "a WRITE migration entry becomes READ, or the page would come back writable", subject="address")
GET_USER_PAGES = _row("GET_USER_PAGES", "get_user_pages", "", "take a reference for a device or a pipe",
                      "from here on the page must keep its frame until the reference is dropped", subject="address")
START_WRITEBACK = _row("START_WRITEBACK", "write_cache_pages", "", "lock a dirty page to write it",
                       "somebody else may have written it, or taken it out of the file")
END_WRITEBACK = _row("END_WRITEBACK", "end_page_writeback", "", "the disc answers: the write is done",
                     "until then the disc reads the frame")
TRUNCATE_PAGE = _row("TRUNCATE_PAGE", "truncate_inode_pages", "", "lock the page and take it out of the page cache",
                     "a migration may be putting another page in its place")
SHRINK_PAGE = _row("SHRINK_PAGE", "shrink_page_list", "", "lock the page to free it", "somebody may be using or moving it")
FREE_PAGE = _row("FREE_PAGE", "remove_mapping", "", "free the page if nobody else refers to it",
                 "it may have been found again through the page cache, or dirtied")
HOLD = _row("HOLD", "get_user_pages", "", "let go", "a device or a driver keeps its reference, or its lock, for a while", subject="")
RELEASE = _row("RELEASE", "put_page", "", "drop the references", "only then can a migration of the page succeed", subject="")
# fmt: on
