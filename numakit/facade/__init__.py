"""A machine and its processes as people see them: thin; each method starts what stands in the layers below."""
