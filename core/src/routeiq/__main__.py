"""`python -m routeiq` is the same as `routeiq`."""

from routeiq.cli.main import main

if __name__ == "__main__":
    main()
