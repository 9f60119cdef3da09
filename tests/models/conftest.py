from tests.federation.conftest import _one_thread as _one_thread
from tests.federation.conftest import digits as digits
from tests.federation.conftest import federation as federation
from tests.federation.conftest import recipe as recipe
