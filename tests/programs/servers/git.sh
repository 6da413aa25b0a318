# A repository with a history, cloned in each way that works here, packed and checked.
set -e
export GIT_CONFIG_GLOBAL="$PWD/git.conf" GIT_CONFIG_NOSYSTEM=1
git config --global user.name observer
git config --global user.email observer@localhost
git config --global pack.threads 2
git init -q -b main sky
cd sky
for n in $(seq 30); do
  seq "$n" $((n * 40)) >"stars$((n % 7))"
  git add .
  git commit -q -m "night $n"
done
git checkout -q -b side HEAD~5
echo comet >comet
git add comet
git commit -q -m comet
git checkout -q main
git merge -q -m merged side
cd ..
git clone -q sky copy
git clone -q --no-local --depth 3 "file://$PWD/sky" shallow
git -C copy log --oneline | wc -l
git -C shallow log --oneline | wc -l
git -C copy gc -q --aggressive
git -C copy fsck --strict
git -C copy diff --stat HEAD~3 | tail -1
git -C copy grep -c 117 | tail -1
