"""The bulk engine: whole calls over millions of pages, with what the readable functions leave behind.

The readable pipeline (``migration``, ``syscalls``) is the reference; it plays every step of every page, so that others
can act in between. Where nobody else acts and nobody records, the order of most of these steps can be seen nowhere.
What can be seen is the state at the end, to the last byte: which frame each page got, the stamps on the LRU lists, what
is left in a pagevec, what lies in the stack of free frames. Four things decide that, and each is an array operation:

* **Which pages move.** Looking up, sharing, duplicates, and whether anything is in the way of a page are asked of all
  entries at once (``look_up``, ``shared``, ``pages``). A page with nothing in its way moves at the first attempt.
* **Which frame each one gets.** Frames are taken and given back in an order that the kernel's control flow fixes: by
  pages, by pagevecs of 14, by batches of 512. Writing that order down as times is enough: taking and giving back are
  brackets around a stack, and a sort by height finds for each taker the giver that fits (``free_frames``).
* **When it comes to its LRU list.** Stamps count up in the order in which pagevecs are drained (``migrate``).
* **What else is written.** Of fields that are written several times the last one stays.

Calls that walk a process or a range (``moves``: migrate_pages(2), mbind(), cpusets) keep the control flow of the
readable functions; while one is made, a few of its roles are served by functions that take all pages of an area or of
a walk at once (``page_range``, ``kernel_migrate_pages``), by the policies that decide for them (``new_pages``).

Memory that is written to for the first time gets its frames along a zonelist, area by area (``first_touch``).

Pages that are not that simple (of files, in swap, locked, pinned, without a frame to go to) are handed one by one to
the readable functions, in their turn (``passes``); calls that are refused, as a whole. So no rule is written twice but
for what an undisturbed page goes through, and ``tests/random`` plays both engines against each other.

This package is loaded when the first call goes this way; it needs numpy. The facade asks ``calls``; ``views`` shows the
machine's arrays to numpy.
Answers are columns (``columns``, ``verdicts``, ``fates``): reasons are made when somebody asks for them.
"""
