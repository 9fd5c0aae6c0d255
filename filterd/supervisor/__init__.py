"""The daemon's parent process: binds the socket, forks fronts, replaces what dies, reloads, stops.

It stays single-threaded (it forks), touches no message and no hostile byte. A *generation* is one configuration with
its nursery and fronts; a reload starts a new one beside the old and lets the old one's sessions end.

Signals: SIGTERM and SIGINT stop after draining, SIGUSR1 reloads, SIGUSR2 begins the program anew in the same process,
its fronts serving on until the new ones do. SIGHUP stops too: libmilter takes it so in the fronts. A front is told to
drain by SIGUSR2 and to end at once by SIGQUIT: any signal that libmilter knows would leave its open sessions
unanswered.
"""
