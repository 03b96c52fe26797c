"""What the machine and the operating system give: devices, cores, memory, threads, files that are whole, signals."""
