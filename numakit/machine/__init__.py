"""What a machine consists of, and the small functions that keep it consistent.

``state``: the arrays and numbers of a whole machine. ``frames``: allocation and reference counts. ``references``: who
holds each reference. ``lru``: LRU lists and pagevecs. ``locks``: page lock, mmap_sem, reverse-map lock. ``process``:
credentials and the life of an mm. ``vma``: areas, PTEs, the reverse map's lists. ``pagecache``: files' pages.
``mempolicy``, ``cpuset``: where pages are
to come from, and may come from. ``nodemask``: sets of nodes. ``numastat``: whether they came from there. ``contents``:
what is written in a page. ``verdicts``: why an entry or a call got the answer it got.
"""
