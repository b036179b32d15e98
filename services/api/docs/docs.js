// Filters the index: every word must be somewhere in an operation's method, path, name or summary.
const find = document.getElementById('find');
const index = document.getElementById('index');
const none = index.querySelector('.none');
const groups = [...index.querySelectorAll('.group')].map((group) => ({
  group,
  wasOpen: group.open,
  links: [...group.querySelectorAll('a')],
}));
const isNarrow = matchMedia('(max-width: 60rem)');

function shown() {
  return [...index.querySelectorAll('.group:not([hidden]) li:not([hidden]) a')];
}

function filter() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const { group, wasOpen, links } of groups) {
    let count = 0;
    for (const link of links) {
      const fits = words.every((word) => link.dataset.find.includes(word));
      link.parentElement.hidden = !fits;
      if (fits) count++;
    }
    group.hidden = count === 0;
    group.open = words.length > 0 || wasOpen;
  }
  none.hidden = shown().length > 0;
  if (words.length > 0) index.open = true;
}

/** Up and down go through what is left. */
function move(from, by) {
  const links = shown().filter((link) => link.offsetParent !== null);
  const at = links.indexOf(from) + by;
  (at < 0 ? find : links[Math.min(at, links.length - 1)])?.focus();
}

find.parentElement.hidden = false;
if (isNarrow.matches) index.open = false;
find.addEventListener('input', filter);
document.addEventListener('keydown', (event) => {
  const { key, target } = event;
  const isLink = target instanceof HTMLAnchorElement && index.contains(target);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (key === '/' && target !== find) find.focus();
  else if (key === 'Escape' && (target === find || isLink)) {
    find.value = '';
    filter();
    find.focus();
  } else if (key === 'Enter' && target === find) shown()[0]?.click();
  else if (key === 'ArrowDown' && (target === find || isLink)) move(target, 1);
  else if (key === 'ArrowUp' && isLink) move(target, -1);
  else return;
  event.preventDefault();
});
// The way to an operation of this page: the index has done its work.
index.addEventListener('click', (event) => {
  if (isNarrow.matches && event.target.closest('a')) index.open = false;
});
