"""The command line's entry point: the click group, and nothing else. Each command lives in router/commands/."""

from router.commands import group as main

if __name__ == "__main__":
    main()
