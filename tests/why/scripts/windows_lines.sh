#!/bin/sh
# why: ends with a carriage return
echo hello
