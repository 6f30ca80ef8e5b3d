"""How far a migration may sleep (include/linux/migrate_mode.h). 2006 knew one way: what is MIGRATE_SYNC today."""

MIGRATE_ASYNC, MIGRATE_SYNC_LIGHT, MIGRATE_SYNC = range(3)
