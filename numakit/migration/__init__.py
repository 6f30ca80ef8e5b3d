"""Page migration, in the kernel's names and call tree (mm/migrate.c of 2.6.18). The order in which to read it:

``migrate_pages``      ten passes over isolated pages
``unmap_and_move``     one attempt to move one page: document 1, 2, 5, 19, 20
``move_to_new_page``   the new page takes the old one's place: 3, 4, 16
``migrate_page``       the migration function of anonymous memory and tmpfs: 6 to 15
``buffers``            that of file systems whose pages have buffers
``fallback``           for file systems that have none
``putback``            pages go back to the LRU: 20
``mode``               how far a migration may sleep
``kernel_6_1``         the passes of Linux 6.1
``kernel_6_12``        the batches of Linux 6.12
``new_page``           new_page_t: who decides which new page an old one moves to: A.2

The functions are generators: each yields a moment just before a point where another CPU could act. What was read before
a yield is read again after it. ``m`` is the machine; 0 or a negative errno is returned as in the kernel.
"""

from numakit.migration.buffers import buffer_migrate_page
from numakit.migration.fallback import fallback_migrate_page, writeout
from numakit.migration.migrate_page import migrate_page, migrate_page_copy, migrate_page_move_mapping
from numakit.migration.migrate_pages import migrate_pages
from numakit.migration.move_to_new_page import move_to_new_page
from numakit.migration.new_page import NewPage, ResultPointer
from numakit.migration.putback import move_to_lru, putback_lru_pages
from numakit.migration.unmap_and_move import unmap_and_move

__all__ = [
    "NewPage",
    "ResultPointer",
    "buffer_migrate_page",
    "fallback_migrate_page",
    "migrate_page",
    "migrate_page_copy",
    "migrate_page_move_mapping",
    "migrate_pages",
    "move_to_lru",
    "move_to_new_page",
    "putback_lru_pages",
    "unmap_and_move",
    "writeout",
]
